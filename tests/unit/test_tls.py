"""Certificates that do not work are refused at the start, in a sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import trustme

from auricle.core import tls
from auricle.core.errors import Unavailable
from auricle.core.settings import Settings


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    made = trustme.CA().issue_cert("speech.example.lan")
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    made.cert_chain_pems[0].write_to_path(cert)
    made.private_key_pem.write_to_path(key)
    return cert, key


def check(cert: Path | None, key: Path | None) -> None:
    tls.check(Settings(tls_cert=cert, tls_key=key))


def test_a_certificate_with_its_key_is_taken(files: tuple[Path, Path]) -> None:
    check(*files)
    check(None, None)


def test_one_without_the_other_is_refused(files: tuple[Path, Path]) -> None:
    for cert, key in [(files[0], None), (None, files[1])]:
        with pytest.raises(Unavailable, match="Set both"):
            check(cert, key)


def test_a_file_that_is_not_there_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"AURICLE_TLS_CERT: \S+none.crt cannot be read: No such"):
        check(tmp_path / "none.crt", files[1])
    with pytest.raises(Unavailable, match=r"AURICLE_TLS_KEY: .* Is a directory"):
        check(files[0], tmp_path)


def test_a_key_of_another_certificate_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    trustme.CA().issue_cert("other.example").private_key_pem.write_to_path(other)
    with pytest.raises(Unavailable, match="is not the private key of the certificate"):
        check(files[0], other)


def test_files_that_are_no_certificate_are_refused(files: tuple[Path, Path]) -> None:
    cert, key = files
    with pytest.raises(Unavailable, match="are not a certificate and its private key"):
        check(key, cert)
    cert.write_bytes(b"\0\1 not PEM")
    with pytest.raises(Unavailable, match="are not a certificate and its private key"):
        check(cert, key)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(files: tuple[Path, Path]) -> None:
    cert, key = files
    words = ["-aes256", "-passout", "pass:hidden"]
    locked = key.with_name("locked.key")
    subprocess.run(["openssl", "pkey", "-in", key, "-out", locked, *words], check=True)
    with pytest.raises(Unavailable, match="without a passphrase"):
        check(cert, locked)
