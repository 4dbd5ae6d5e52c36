"""Work on text through the APIs, with their owners' clients. The language model is a fake of the
same shape (tests/fake_llm.py); embeddings, names and patterns are real."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import sttai_mcp.server
from openai import BadRequestError, OpenAI
from sttai import STTClient

from conftest import Server, start_server, stop_server
from fake_llm import FakeLLM, fake_llm
from sounds import tone, wav

MEETING = (
    "Good morning everyone. Revenue grew by fifteen percent in the third quarter. "
    "Maria will send the final report by Friday. When does the office move? "
    "We postponed the move until March."
)
DETECTED = {
    "en": MEETING,
    "pt": "Bom dia a todos, obrigado por participarem desta reunião.",
    "de": "Guten Morgen zusammen, wir sprechen heute über die Zahlen des Quartals.",
}


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeLLM]:
    with fake_llm() as fake:
        yield fake


@pytest.fixture(scope="module")
def texts(
    llm: FakeLLM, models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = start_server(
        tmp_path_factory.mktemp("texts"),
        models_dir,
        llm_url=llm.url,
        llm_model="fake-1",
        text_credits="2",
        model_aliases="text-embedding-3-small=all-minilm-l6-v2",
    )
    until = time.monotonic() + 30
    while post(server, "/v1/embed", {"texts": ["ready?"]}).status_code == 503:
        assert time.monotonic() < until, "no text worker came: " + "".join(server.lines)
        time.sleep(0.2)
    yield server
    stop_server(server)


@pytest.fixture(scope="module")
def transcript(texts: Server, recording: Path) -> dict[str, Any]:
    """44 s of Dickens in the library, transcribed by the real model."""
    with recording.open("rb") as file:
        made = httpx.post(
            f"{texts.url}/v1/transcribe", files={"file": file}, headers=texts.auth, timeout=120
        )
    assert made.status_code == 200, made.text
    listed = httpx.get(f"{texts.url}/api/v1/transcripts/", headers=texts.auth).json()
    row: dict[str, Any] = listed["results"][0]
    return row


def post(server: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", json=body, headers=server.auth | headers, timeout=60)


def test_sttai_sdk_summarises_in_every_style(texts: Server) -> None:
    client = STTClient(texts.key, base_url=texts.url)
    for style in ("brief", "detailed", "bullets", "bullet_points", "action_items", "headline"):
        found = client.summarize(MEETING, style=style)
        assert found["summary"]
        assert (found["style"], found["model"]) == (style, "fake-1")
        assert found["text"] == found["summary"]
        assert found["coverage"] == {"segments": 5, "read": 5}


@pytest.mark.parametrize("language", DETECTED)
def test_the_answer_is_asked_for_in_the_language_of_the_text(
    texts: Server, llm: FakeLLM, language: str
) -> None:
    found = post(texts, "/v1/summarize", {"text": DETECTED[language]}).json()
    assert found["language"] == language
    name = {"en": "English", "pt": "Portuguese", "de": "German"}[language]
    assert llm.asked[-1]["messages"][-1]["content"].endswith(f"Write in {name}.")


@pytest.mark.parametrize(
    "kind", ["sentiment", "topics", "entities", "action_items", "questions", "pii_redact"]
)
def test_every_analysis_answers_in_its_shape(texts: Server, kind: str) -> None:
    found = post(texts, "/v1/analyze", {"text": MEETING, "type": kind}).json()
    assert found["type"] == kind
    assert found["result"] == found[kind]
    fields = {
        "sentiment": {"label", "score", "positive", "negative", "neutral", "segments"},
        "pii_redact": {"text", "spans", "names"},
    }
    assert set(found["result"]) == fields.get(kind, {kind})


def test_names_are_taken_out_and_listed_in_other_languages_too(texts: Server) -> None:
    said = "Mein Name ist Thomas Schneider und ich wohne in Hamburg, also weit weg von hier."
    found = post(texts, "/v1/analyze", {"text": said, "type": "pii_redact"}).json()
    assert found["result"]["names"]
    assert found["result"]["text"].startswith("Mein Name ist [PERSON] und ich wohne in [LOCATION],")
    assert found["model"] == "presidio and rampart"
    listed = post(texts, "/v1/analyze", {"text": said, "type": "entities"}).json()["result"]
    kinds = {entity["text"]: entity["type"] for entity in listed["entities"]}
    assert kinds["Thomas Schneider"] == "person"
    assert kinds["Hamburg"] == "place"


@pytest.mark.parametrize(
    "kind",
    [
        *("blog_post", "social_media", "newsletter", "key_quotes", "show_notes", "meeting_notes"),
        *("study_guide", "flashcards", "quiz", "chapter_markers"),
    ],
)
def test_every_kind_of_content_is_text_and_may_have_parts(texts: Server, kind: str) -> None:
    for text in (MEETING, "Hello. Bye."):
        found = post(texts, "/v1/generate", {"text": text, "type": kind}).json()
        assert found["type"] == kind
        assert isinstance(found["content"], str)
        assert found["content"]
        parts = {"key_quotes", "chapter_markers", "flashcards", "quiz"}
        if text is not MEETING:
            parts -= {"flashcards", "quiz"}  # nothing in it can be asked about
        assert bool(found["items"]) == (kind in parts)


def test_quotes_are_sentences_of_the_text(texts: Server) -> None:
    found = post(texts, "/v1/generate", {"text": MEETING, "type": "key_quotes"}).json()
    assert all(quote["text"] in MEETING for quote in found["items"])


def test_progress_comes_as_events_to_who_reads_them(texts: Server) -> None:
    long = " ".join(f"Point number {n} is about the budget of team {n}." for n in range(1500))
    found = post(texts, "/v1/summarize", {"text": long}, Accept="text/event-stream")
    names = [line[7:] for line in found.text.splitlines() if line.startswith("event: ")]
    assert names[-1] == "result"
    assert names.count("progress") > 1


def test_openai_sdk_embeds_as_it_is(texts: Server) -> None:
    client = OpenAI(api_key=texts.key, base_url=f"{texts.url}/v1", max_retries=0)
    for model in ("all-MiniLM-L6-v2", "text-embedding-3-small"):
        found = client.embeddings.create(model=model, input=["a dog", "a puppy", "tax law"])
        assert found.model == "all-minilm-l6-v2"
        dog, puppy, law = (np.array(row.embedding) for row in found.data)
        assert dog @ puppy > 0.6
        assert dog @ law < 0.3
    numbers = client.embeddings.create(
        model="all-minilm-l6-v2", input="a dog", encoding_format="float"
    )
    assert np.allclose(numbers.data[0].embedding, dog, atol=1e-5)
    with pytest.raises(BadRequestError, match="text-embedding-3-large"):
        client.embeddings.create(model="text-embedding-3-large", input="a dog")


BAD: list[tuple[str, Any, str]] = [
    ("/v1/summarize", {}, "'text'"),
    ("/v1/summarize", {"text": "  "}, "'text'"),
    ("/v1/summarize", {"text": 7}, "'text'"),
    ("/v1/summarize", {"text": "a " * 1_000_000}, "1,000,000"),
    ("/v1/summarize", {"text": "Hi.", "style": "haiku"}, "brief, detailed"),
    ("/v1/summarize", {"text": "Hi.", "style": ["brief"]}, "'style' must be a string"),
    ("/v1/summarize", {"text": "Hi.", "language": "klingon"}, "Unknown language"),
    ("/v1/summarize", ["Hi."], "JSON object"),
    ("/v1/analyze", {"text": "Hi."}, "sentiment, topics"),
    ("/v1/analyze", {"text": "Hi.", "type": "mood"}, "sentiment, topics"),
    ("/v1/generate", {"text": "Hi.", "type": "poem"}, "blog_post"),
    ("/v1/translate", {"text": "Hi.", "texts": ["Hi."], "target": "pt"}, "either"),
    ("/v1/translate", {"target": "pt"}, "either"),
    ("/v1/translate", {"text": "Hi."}, "'target'"),
    ("/v1/translate", {"text": "Hi.", "target": "en"}, "nothing to translate"),
    ("/v1/translate", {"texts": ["Hi."] * 10_000, "target": "pt"}, "10,000 texts"),
    ("/v1/translate", {"texts": ["Hi.", 3], "target": "pt"}, "texts[1]"),
    ("/v1/embed", {"texts": []}, "'texts'"),
    ("/v1/embed", {"texts": "Hi."}, "'texts'"),
    ("/v1/embed", {"texts": ["Hi."] * 10_000}, "10,000 texts"),
]


@pytest.mark.parametrize(("path", "body", "reason"), BAD)
def test_bad_input_is_refused_in_words(texts: Server, path: str, body: Any, reason: str) -> None:
    found = post(texts, path, body)
    assert found.status_code == 400, found.text
    assert reason in found.json()["error"]


def test_a_body_that_is_no_json_is_refused(texts: Server) -> None:
    found = httpx.post(f"{texts.url}/v1/analyze", content=b"\xff{", headers=texts.auth)
    assert (found.status_code, list(found.json())) == (400, ["error"])


def test_tokens_are_embedded_as_their_text(texts: Server) -> None:
    """What LangChain sends instead of text: cl100k_base's tokens."""
    client = OpenAI(api_key=texts.key, base_url=f"{texts.url}/v1", max_retries=0)
    model, text, tokens = "text-embedding-3-small", "Hello wörld", [9906, 289, 9603, 509]
    for given in (tokens, [tokens], text):
        found = client.embeddings.create(model=model, input=given)
        assert len(found.data) == 1
        if given is tokens:
            wanted = found.data[0].embedding
        assert np.allclose(found.data[0].embedding, wanted, atol=1e-6)


def test_embeddings_have_openais_errors(texts: Server) -> None:
    mini: dict[str, Any] = {"model": "all-minilm-l6-v2"}
    for body in (
        mini | {"input": [[-1]]}, mini | {"input": [[10**6]]}, mini | {"input": [10**30]},
        mini | {"input": [[]]}, mini | {"input": [[1], "a"]}, mini | {"input": ["a", [1]]},
        mini | {"input": [1, "a"]}, {"model": "nope", "input": "a"},
    ):  # fmt: skip
        found = post(texts, "/v1/embeddings", body)
        assert found.status_code == 400
        assert found.json()["error"]["message"]


def test_without_a_key_there_is_nothing(texts: Server) -> None:
    for path in ("summarize", "analyze", "generate", "translate", "embed", "embeddings"):
        assert httpx.post(f"{texts.url}/v1/{path}", json={}).status_code == 401


def test_work_on_text_costs_what_the_operator_says_and_is_counted(texts: Server) -> None:
    member = texts.cast("reader", "paid", minutes=3)
    account = f"{texts.url}/api/v1/account/"

    def ask(text: str) -> int:
        body = {"text": text, "type": "questions"}
        return httpx.post(f"{texts.url}/v1/analyze", json=body, headers=member).status_code

    assert ask("Why?") == 200
    assert httpx.get(account, headers=member).json()["credits"] == 1
    assert ask("") == 400
    assert ask("Why?") == 402
    usage = httpx.get(f"{texts.url}/api/v1/usage/", headers=member).json()
    assert (usage["total_requests"], usage["total_credits"]) == (1, 2)


def test_work_on_voices_costs_the_same_when_it_is_done(texts: Server) -> None:
    member = texts.cast("speaker", "paid", minutes=5)

    def left() -> int:
        found = httpx.get(f"{texts.url}/api/v1/account/", headers=member)
        return int(found.json()["credits"])

    def enhance(content: bytes) -> int:
        files = {"file": ("a.wav", content)}
        path = f"{texts.url}/v1/enhance-audio"
        return httpx.post(path, files=files, headers=member, timeout=120).status_code

    def speak(text: str) -> int:
        body = {"model": "tts-1", "voice": "alloy", "input": text}
        path = f"{texts.url}/v1/audio/speech"
        return httpx.post(path, json=body, headers=member, timeout=120).status_code

    assert enhance(b"no sound at all") == 400
    assert speak("") == 400
    assert left() == 5
    # It is paid before the last of it is sent: who has it all is not waited for.
    assert enhance(wav(tone(1.0))) == 200
    assert left() == 3
    assert speak("Yes.") == 200
    assert left() == 1
    assert enhance(wav(tone(1.0))) == 402
    assert speak("No.") == 402
    usage = httpx.get(f"{texts.url}/api/v1/usage/", headers=member).json()
    assert (usage["total_requests"], usage["total_credits"]) == (2, 4)


def test_a_stored_summary_is_kept_until_it_is_made_anew(
    texts: Server, transcript: dict[str, Any]
) -> None:
    path = f"{texts.url}/api/v1/transcripts/{transcript['slug']}/"
    before = httpx.get(path, headers=texts.auth).json()
    assert before["summary"] is None

    def ask(method: str) -> Any:
        found = httpx.request(method, f"{path}summarize/", headers=texts.auth, timeout=60)
        assert found.status_code == 200, found.text
        return found.json()

    made = ask("GET")
    assert "best of times" in made["summary"]
    assert made["topics"]
    assert [ask("GET")["cached"], ask("POST")["cached"], made["cached"]] == [True, False, False]
    assert httpx.get(path, headers=texts.auth).json()["summary"] == made["summary"]


def test_analysis_is_keyed_by_the_names_that_were_asked_for(
    texts: Server, transcript: dict[str, Any]
) -> None:
    path = f"/api/v1/transcripts/{transcript['id']}/analyze/"
    everything = post(texts, path, {}).json()
    assert {"sentiment", "topics", "entities", "action_items", "questions", "pii_redact"} <= set(
        everything
    )
    some = post(texts, path, {"kinds": ["pii", "sentiment"]}).json()
    assert {"pii", "sentiment"} <= set(some)
    assert "[" not in some["pii"]["text"] or some["pii"]["spans"]
    one = post(texts, path, {"type": "questions"}).json()
    assert (one["type"], one["result"]) == ("questions", one["questions"])
    assert post(texts, path, {"kinds": ["mood"]}).status_code == 400


def test_content_is_made_under_the_names_of_both_clients(
    texts: Server, transcript: dict[str, Any]
) -> None:
    path = f"/api/v1/transcripts/{transcript['id']}/generate/"
    for body in (
        {"kind": "social_twitter", "prompt": "Mention Dickens."},
        {"kind": "podcast_show_notes"},
        {"type": "quiz"},
    ):
        found = post(texts, path, body).json()
        assert isinstance(found["content"], str)
        assert found["kind"] == found["type"] == (body.get("kind") or body["type"])
    chapters = post(texts, path, {"type": "chapter_markers"}).json()["items"]
    times = [chapter["start"] for chapter in chapters]
    assert times == sorted(times)
    quotes = post(texts, path, {"type": "key_quotes"}).json()["items"]
    assert all(quote["start"] < quote["end"] for quote in quotes)


def test_chat_cites_segments_and_remembers(
    texts: Server, transcript: dict[str, Any], llm: FakeLLM
) -> None:
    path = f"/api/v1/transcripts/{transcript['id']}/chat/"
    first = post(texts, path, {"message": "Was it a season of light?"}).json()
    source = next(s for s in first["sources"] if "season of light" in s["text"].lower())
    assert {"segment_order", "segment_id", "text", "score", "start_time"} <= set(source)
    assert source["start_time"] > 0
    assert source["score"] > 0.25
    more = {"question": "And of darkness?", "session_id": first["session_id"]}
    second = post(texts, path, more).json()
    assert second["session_id"] == first["session_id"]
    roles = [message["role"] for message in llm.asked[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    elsewhere = post(texts, path, {"question": "Hm?", "session_id": "somebody-elses"})
    assert elsewhere.status_code == 404


@pytest.mark.parametrize("asked", ["What is it about?", "Worum geht es?", "Resume, por favor."])
def test_chat_answers_questions_about_the_whole(
    texts: Server, transcript: dict[str, Any], llm: FakeLLM, asked: str
) -> None:
    path = f"/api/v1/transcripts/{transcript['id']}/chat/"
    found = post(texts, path, {"question": asked}).json()
    assert found["answer"]
    orders = [source["segment_order"] for source in found["sources"]]
    assert orders == sorted(orders)
    assert len(orders) > 1
    assert "These people speak: Speaker 1." in llm.asked[-1]["messages"][-1]["content"]


def test_chat_says_when_there_is_nothing(
    texts: Server, transcript: dict[str, Any], llm: FakeLLM
) -> None:
    asked = len(llm.asked)
    path = f"/api/v1/transcripts/{transcript['id']}/chat/"
    found = post(texts, path, {"question": "How do I configure Kubernetes ingress?"}).json()
    assert found["sources"] == []
    assert found["answer"] == "The transcript says nothing about that."
    assert len(llm.asked) == asked


def test_the_library_is_searched_by_meaning_and_by_words(
    texts: Server, transcript: dict[str, Any]
) -> None:
    def search(**query: Any) -> Any:
        found = httpx.get(
            f"{texts.url}/api/v1/transcripts/search/", params=query, headers=texts.auth
        )
        return found.json()

    by_meaning = search(q="pessimism and optimism at once", mode="semantic")
    assert by_meaning["results"][0]["transcript_id"] == transcript["id"]
    by_words = search(q="it was", mode="literal", limit=1)
    assert "it was" in by_words["results"][0]["text"].lower()
    assert by_words["count"] > 1
    assert by_words["next"]
    assert search(q="season", mode="exact")["error"]
    stranger = texts.cast("stranger")
    found = httpx.get(
        f"{texts.url}/api/v1/transcripts/search/", params={"q": "season"}, headers=stranger
    )
    assert found.json()["results"] == []


def test_another_accounts_transcript_is_not_there(
    texts: Server, transcript: dict[str, Any]
) -> None:
    stranger = texts.cast("outsider")
    for action in ("summarize", "analyze", "generate", "chat"):
        found = httpx.post(
            f"{texts.url}/api/v1/transcripts/{transcript['id']}/{action}/",
            json={"type": "quiz", "question": "?"} if action != "analyze" else {},
            headers=stranger,
        )
        assert found.status_code == 404


def test_who_hangs_up_stops_the_model(texts: Server, llm: FakeLLM) -> None:
    llm.pause_s, before = 0.2, llm.hung_up
    words = "word " * 60
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{texts.url}/v1/summarize", json={"text": words}, headers=texts.auth, timeout=2)
    until = time.monotonic() + 10
    while llm.hung_up == before and time.monotonic() < until:
        time.sleep(0.1)
    llm.pause_s = 0.0
    assert llm.hung_up == before + 1


def test_english_and_portuguese_are_translated_here(texts: Server) -> None:
    body = {"text": "It was the best of times.\n\nGood morning.", "target": "pt"}
    found = post(texts, "/v1/translate", body).json()
    assert found["translated_text"] == "Foi o melhor dos tempos.\n\nBom dia."
    assert (found["source_language"], found["target_language"]) == ("en", "pt")
    many = {"texts": ["Bom dia.", "Obrigado."], "source": "pt-BR", "target": "en"}
    back = post(texts, "/v1/translate", many).json()
    assert [each["translated_text"] for each in back["translations"]] == [
        "Good morning.",
        "Thank you very much.",
    ]


def test_a_pair_that_is_not_installed_names_the_command(texts: Server) -> None:
    found = post(texts, "/v1/translate", {"text": "Hello", "target": "sw"})
    assert found.status_code == 503
    assert "auricle models pull madlad400-3b-mt" in found.json()["error"]
    unknown = post(texts, "/v1/translate", {"text": "Hello", "target": "Not a language"})
    assert unknown.status_code == 400


def _web_methods(server: Server) -> dict[str, Any]:
    """The seven methods of the SDK's unreleased version that its MCP server calls; see
    CONTRACT.md, 2.6."""

    def send(method: str, path: str, **more: Any) -> httpx.Response:
        url = f"{server.url}/api/v1/transcripts/{path}"
        found = httpx.request(method, url, headers=server.auth, timeout=60, **more)
        found.raise_for_status()
        return found

    return {
        "list_transcripts": lambda self, **query: send(
            "GET", "", params={name: value for name, value in query.items() if value is not None}
        ).json(),
        "get_transcript": lambda self, name: send("GET", f"{name}/").json(),
        "export_transcript": lambda self, name, fmt: send("GET", f"{name}/export/{fmt}/").text,
        "transcript_summarize": lambda self, name, force: send(
            "POST" if force else "GET", f"{name}/summarize/"
        ).json(),
        "transcript_analyze": lambda self, name, kinds: send(
            "POST", f"{name}/analyze/", json={"kinds": kinds} if kinds else {}
        ).json(),
        "transcript_generate": lambda self, name, kind, prompt: send(
            "POST",
            f"{name}/generate/",
            json={"kind": kind} | ({"prompt": prompt} if prompt else {}),
        ).json(),
        "transcript_chat": lambda self, name, message, session_id: send(
            "POST",
            f"{name}/chat/",
            json={"message": message} | ({"session_id": session_id} if session_id else {}),
        ).json(),
    }


def test_the_tools_of_sttais_mcp_server_answer(
    texts: Server, transcript: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, method in _web_methods(texts).items():
        monkeypatch.setattr(STTClient, name, method, raising=False)
    monkeypatch.setenv("STT_API_KEY", texts.key)

    def call(tool: str, **arguments: Any) -> Any:
        content = asyncio.run(sttai_mcp.server.mcp.call_tool(tool, arguments))
        blocks = content[0] if isinstance(content, tuple) else content
        return blocks[0].text

    one = {"transcript_id": str(transcript["slug"])}
    assert json.loads(call("list_transcripts", status="completed"))["count"] >= 1
    assert json.loads(call("get_transcript", **one))["segments"]
    assert "best of times" in call("export_transcript", fmt="srt", **one).replace("\n", " ")
    assert json.loads(call("summarize_transcript", force=True, **one))["summary"]
    assert "score" in json.loads(call("analyze_transcript", **one))["sentiment"]
    assert json.loads(call("analyze_transcript", kinds=["pii"], **one))["pii"]["text"]
    for kind in ("blog_post", "social_twitter", "social_linkedin", "meeting_notes", "study_guide",
                 "flashcards", "quiz", "newsletter", "podcast_show_notes"):  # fmt: skip
        made = json.loads(call("generate_from_transcript", kind=kind, **one))
        assert isinstance(made["content"], str)
    said = json.loads(call("chat_with_transcript", message="Which season was it?", **one))
    assert isinstance(said["session_id"], str)
    assert all(isinstance(s["segment_id"], int) and s["start_time"] >= 0 for s in said["sources"])
    again = call("chat_with_transcript", message="And?", session_id=said["session_id"], **one)
    assert json.loads(again)["session_id"] == said["session_id"]


def test_the_web_process_holds_no_runtime_for_text(texts: Server) -> None:
    web = psutil.Process(texts.process.pid)
    loaded = {Path(region.path).name for region in web.memory_maps()}
    runtimes = ("xllamacpp", "tokenizers", "sentencepiece", "llvmlite", "thinc", "ctranslate2")
    assert not [name for name in loaded if any(runtime in name for runtime in runtimes)]


def test_a_text_worker_that_dies_is_started_again(texts: Server) -> None:
    (worker,) = (
        child
        for child in psutil.Process(texts.process.pid).children()
        if "text-worker" in child.cmdline()
    )
    worker.kill()
    until = time.monotonic() + 40
    while (found := post(texts, "/v1/embed", {"texts": ["Back?"]})).status_code != 200:
        assert found.status_code == 503
        assert found.json()["error"]
        assert time.monotonic() < until
        time.sleep(0.3)
