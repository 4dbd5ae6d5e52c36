"""Transcripts to work on: an hour and two lines, in English, Portuguese and German."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, islice

from auricle.text.source import Piece, Source
from bench.corpus import language as language_of
from bench.corpus import manifest

HOUR_S = 3600.0
WORDS_PER_S = 2.5

TWO_LINES = {
    "en": (
        "Maria will send the budget of 4,500 dollars to the council by Friday.",
        "Tom, could you please book the big room for Monday?",
    ),
    "pt": (
        "A Maria vai enviar o orçamento de 4.500 euros ao conselho até sexta-feira.",
        "Tomás, pode reservar a sala grande para segunda-feira, por favor?",
    ),
    "de": (
        "Maria schickt das Budget von 4.500 Euro bis Freitag an den Stadtrat.",
        "Tom, kannst du bitte den großen Raum für Montag buchen?",
    ),
}
"""Two people, a number, a date and a request."""

QUESTIONS = {
    "en": ("Who will send the budget?", "What did we decide about the canteen?"),
    "pt": ("Quem vai enviar o orçamento?", "Quanto custou a mudança para o Porto?"),
    "de": ("Wer schickt das Budget?", "Was haben wir über die Kantine beschlossen?"),
}
"""What the chat is asked about two lines, and about an hour."""

GENERAL = {
    "en": ("What is this about?", "Who took part?"),
    "pt": ("De que se trata?", "Quem participou?"),
    "de": ("Worum geht es?", "Wer hat teilgenommen?"),
}
"""What the chat is asked about the whole."""

_PEOPLE = {
    "en": ("Alice", "Brian", "Carol", "David", "Helen", "Stuart"),
    "pt": ("Ana", "Bruno", "Carla", "Duarte", "Filipa", "Rui"),
    "de": ("Anna", "Bernd", "Claudia", "Dieter", "Friederike", "Jürgen"),
}
_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag"),
}
_TOPICS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "en": (
        (
            "the move to Bristol",
            "The new office in Bristol has two meeting rooms and is close to the station.",
            "The lorries come in the morning, and the boxes must be packed the day before.",
            "The rent has gone up, but the landlord offers us a contract over five years.",
        ),
        (
            "the warehouse in Leeds",
            "Water comes through the roof of the warehouse when it rains hard.",
            "The insurance company wants photographs before it pays for the repair.",
            "Half of the shelves have been empty since the summer.",
        ),
        (
            "the trade fair in Glasgow",
            "Our stand is right beside the main entrance of the fair.",
            "Last year the leaflets were gone on the first day.",
            "Visitors asked about prices and delivery times above all.",
        ),
        (
            "the contract with Siemens",
            "The lawyer has found two clauses that we have to change.",
            "Siemens pays after ninety days only, and that is bad for our cash.",
            "If we do not sign, we lose the discount on electricity.",
        ),
        (
            "the new website",
            "The home page takes far too long to open on a phone.",
            "Nobody has checked the French texts yet.",
            "The online shop has sold more than the shop in town.",
        ),
        (
            "the training of the apprentices",
            "The apprentices learn fast, but there are not enough computers.",
            "The handbook has three hundred pages, and nobody reads it.",
            "One apprentice would like to stay with us after the training.",
        ),
        (
            "the failure of the servers",
            "The servers stopped during the night, and orders were lost.",
            "The backup was old because the disk was full.",
            "The provider has apologised and given us a month for free.",
        ),
        (
            "the canteen",
            "Food in the canteen has become dearer, and many go to the bakery.",
            "The cook wants to offer more vegetables in spring.",
            "We have decided that the canteen opens longer in winter.",
        ),
    ),
    "pt": (
        (
            "a mudança para o Porto",
            "O escritório novo no Porto tem duas salas de reunião e fica perto da estação.",
            "Os camiões chegam de manhã e as caixas devem estar fechadas na véspera.",
            "A renda subiu, mas o senhorio aceita um contrato de cinco anos.",
        ),
        (
            "o armazém de Braga",
            "O telhado do armazém deixa entrar água quando chove muito.",
            "A seguradora quer fotografias antes de pagar a reparação.",
            "Metade das prateleiras continua vazia desde o verão.",
        ),
        (
            "a feira de Lisboa",
            "O nosso stand fica ao lado da entrada principal da feira.",
            "No ano passado os folhetos acabaram logo no primeiro dia.",
            "Os visitantes perguntaram sobretudo pelos preços e pelos prazos.",
        ),
        (
            "o contrato com a Galp",
            "O advogado encontrou duas cláusulas que temos de mudar.",
            "A Galp paga só a noventa dias, e isso é um problema para a tesouraria.",
            "Se não assinarmos, perdemos o desconto da energia.",
        ),
        (
            "o site novo",
            "A página inicial demora demasiado tempo a abrir no telemóvel.",
            "Os textos em inglês ainda não foram revistos por ninguém.",
            "A loja em linha vendeu mais do que a loja da rua.",
        ),
        (
            "a formação dos estagiários",
            "Os estagiários aprendem depressa, mas faltam computadores.",
            "O manual tem trezentas páginas e ninguém o lê.",
            "Um dos estagiários quer ficar depois do estágio.",
        ),
        (
            "a falha dos servidores",
            "Os servidores pararam durante a noite e os pedidos perderam-se.",
            "A cópia de segurança era velha porque o disco estava cheio.",
            "O fornecedor pediu desculpa e ofereceu um mês de serviço.",
        ),
        (
            "a festa de verão",
            "A festa vai ser no jardim, com música e sardinhas.",
            "Alguns colegas não comem peixe e precisam de outra refeição.",
            "Se chover, mudamos tudo para a cantina.",
        ),
    ),
    "de": (
        (
            "der Umzug nach Leipzig",
            "Das neue Büro in Leipzig hat zwei Besprechungsräume und liegt am Bahnhof.",
            "Die Lastwagen kommen am Morgen, und die Kisten müssen am Vortag gepackt sein.",
            "Die Miete ist gestiegen, aber der Vermieter gibt uns einen Vertrag über fünf Jahre.",
        ),
        (
            "das Lager in Halle",
            "Durch das Dach des Lagers kommt Wasser, wenn es stark regnet.",
            "Die Versicherung will Fotos sehen, bevor sie die Reparatur bezahlt.",
            "Die Hälfte der Regale ist seit dem Sommer leer.",
        ),
        (
            "die Messe in Hannover",
            "Unser Stand liegt gleich neben dem Haupteingang der Messe.",
            "Im letzten Jahr waren die Prospekte schon am ersten Tag vergriffen.",
            "Die Besucher haben vor allem nach Preisen und Lieferzeiten gefragt.",
        ),
        (
            "der Vertrag mit Siemens",
            "Der Anwalt hat zwei Klauseln gefunden, die wir ändern müssen.",
            "Siemens zahlt erst nach neunzig Tagen, und das ist schlecht für die Kasse.",
            "Wenn wir nicht unterschreiben, verlieren wir den Rabatt auf den Strom.",
        ),
        (
            "die neue Webseite",
            "Die Startseite braucht auf dem Telefon viel zu lange.",
            "Die englischen Texte hat noch niemand durchgesehen.",
            "Der Laden im Netz hat mehr verkauft als der Laden in der Stadt.",
        ),
        (
            "die Schulung der Lehrlinge",
            "Die Lehrlinge lernen schnell, aber es fehlen Rechner.",
            "Das Handbuch hat dreihundert Seiten, und niemand liest es.",
            "Ein Lehrling möchte nach der Ausbildung bei uns bleiben.",
        ),
        (
            "der Ausfall der Server",
            "Die Server sind in der Nacht stehen geblieben, und Bestellungen gingen verloren.",
            "Die Sicherung war alt, weil die Platte voll war.",
            "Der Anbieter hat sich entschuldigt und einen Monat geschenkt.",
        ),
        (
            "die Kantine",
            "Das Essen in der Kantine ist teurer geworden, und viele gehen zum Bäcker.",
            "Der Koch will im Frühjahr mehr Gemüse anbieten.",
            "Wir haben beschlossen, dass die Kantine im Winter länger öffnet.",
        ),
    ),
}
"""What is talked about, and sentences that belong to it alone."""

_SENTENCES = {
    "en": (
        "The next point is {topic}.",
        "{person} has talked to the supplier and got an offer of {number} pounds.",
        "I find that expensive, because last year we paid only {number} pounds.",
        "{person} will send the documents to everybody by {day}.",
        "Can we decide that by {day}?",
        "Of the {number} answers that we got, most were good.",
        "I will call the supplier again on {day}.",
        "The greatest risk is that the parts do not arrive in time.",
        "{person} says that everybody knew about it weeks ago.",
        "I agree, but we have to think about the costs as well.",
        "We have decided that {person} takes care of it.",
        "I do not know whether the figures in the report are right.",
        "In my opinion it went better than expected.",
        "Who is going to talk to the customers about it?",
    ),
    "pt": (
        "O próximo ponto é {topic}.",
        "{person} falou com o fornecedor e recebeu uma proposta de {number} euros.",
        "Acho caro, porque no ano passado pagámos só {number} euros.",
        "{person} vai enviar os documentos a todos até {day}.",
        "Podemos decidir isso até {day}?",
        "Das {number} respostas que recebemos, a maior parte foi boa.",
        "Eu vou ligar outra vez ao fornecedor na {day}.",
        "O maior risco é que as peças não cheguem a tempo.",
        "{person} disse que já tinha avisado toda a gente há semanas.",
        "Concordo, mas temos de pensar também nos custos.",
        "Ficou decidido que {person} trata disso.",
        "Não sei se os números do relatório estão certos.",
        "Na minha opinião, correu melhor do que esperávamos.",
        "Quem é que fala com os clientes sobre isto?",
    ),
    "de": (
        "Der nächste Punkt ist {topic}.",
        "{person} hat mit dem Lieferanten gesprochen und ein Angebot über {number} Euro bekommen.",
        "Das finde ich teuer, denn im letzten Jahr haben wir nur {number} Euro bezahlt.",
        "{person} schickt die Unterlagen bis {day} an alle.",
        "Können wir das bis {day} entscheiden?",
        "Von den {number} Antworten, die wir bekommen haben, waren die meisten gut.",
        "Ich rufe den Lieferanten am {day} noch einmal an.",
        "Das größte Risiko ist, dass die Teile nicht rechtzeitig kommen.",
        "{person} sagt, dass alle schon vor Wochen Bescheid wussten.",
        "Da stimme ich zu, aber wir müssen auch an die Kosten denken.",
        "Wir haben beschlossen, dass {person} sich darum kümmert.",
        "Ich weiß nicht, ob die Zahlen im Bericht stimmen.",
        "Meiner Meinung nach ist es besser gelaufen als erwartet.",
        "Wer spricht mit den Kunden darüber?",
    ),
}


def talk(language: str, length: str) -> Source:
    """A transcript of two lines or of an hour."""
    if length == "lines":
        return _timed(iter(TWO_LINES[language]), language)
    return _timed(_spoken(language), language)


def _spoken(language: str) -> Iterator[str]:
    """A meeting without end: topic after topic, each for some seven minutes, with sentences of the
    test recordings."""
    dice = random.Random(8)
    read = manifest("en_read") if language == "en" else manifest("multilingual")
    said = [str(i["text"]) for i in read if language == "en" or language_of(i) == language]
    asides = [text for text in said if text[0].isupper() and text.endswith((".", "!", "?"))]
    for topic, *own in cycle(_TOPICS[language]):
        shared = [*_SENTENCES[language][1:], *own, *own, *asides[:3]]
        dice.shuffle(asides)
        for number in range(90):
            sentence = dice.choice(shared) if number else _SENTENCES[language][0]
            yield sentence.format(
                topic=topic,
                person=dice.choice(_PEOPLE[language]),
                day=dice.choice(_DAYS[language]),
                number=dice.randrange(12, 99) * 10,
            )


def _timed(said: Iterator[str], language: str) -> Source:
    """Sentences as segments of two speakers, for an hour at most."""
    pieces: list[Piece] = []
    at = 0.0
    for order, text in enumerate(islice(said, 5_000)):
        end = at + max(1.0, len(text.split()) / WORDS_PER_S)
        if end > HOUR_S:
            break
        speaker = f"Speaker {order // 3 % 2 + 1}"
        pieces.append(Piece(text, order, round(at, 2), round(end, 2), speaker, order))
        at = end + 0.2
    return Source(tuple(pieces), language)
