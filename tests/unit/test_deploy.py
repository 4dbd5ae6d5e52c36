"""What stands in deploy/ fits the code, and itself."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from auricle.cli import app
from auricle.core.settings import SECRETS, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = sorted(DEPLOY.glob("*compose.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FILES = sorted(file for file in DEPLOY.rglob("*") if file.is_file() and file.name != ".env")
ONLY_HERE = {"AURICLE_HOST"}
"""Of Caddy, not of Auricle."""


def load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


MAIN = load(DEPLOY / "compose.yaml")


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_compose_files_are_what_the_compose_specification_says(file: Path) -> None:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_that_is_named_is_a_setting() -> None:
    known = {f"AURICLE_{name.upper()}" for name in Settings.model_fields} | ONLY_HERE
    known |= {f"AURICLE_{name.upper()}_FILE" for name in SECRETS}
    for file in FILES:
        named = set(re.findall(r"AURICLE_[A-Z_]+", file.read_text()))
        assert named <= known, file


def test_every_variable_that_compose_demands_is_in_the_example() -> None:
    example = dict(_assignments(DEPLOY / ".env.example"))
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked == example.keys()


def _assignments(file: Path) -> list[tuple[str, str]]:
    return re.findall(r"^(\w+)=(.*)$", file.read_text(), re.M)


def test_no_secret_is_committed() -> None:
    secret = re.compile(r"PASSWORD|SECRET|SMTP_URL")
    for file in FILES:
        for name, value in _assignments(file):
            assert not (secret.search(name) and value and "file" not in name.lower()), file
    for compose in COMPOSE:
        for service in load(compose)["services"].values():
            for name, value in service.get("environment", {}).items():
                if secret.search(name):
                    assert re.search(r"\$\{", value), f"{compose.name}: {name} stands there"


def test_every_image_has_a_version() -> None:
    images = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.M)
    for compose in COMPOSE:
        images += [service["image"] for service in load(compose)["services"].values()]
    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image


def test_services_wait_only_for_what_can_become_so() -> None:
    for name, service in MAIN["services"].items():
        for other, wait in service.get("depends_on", {}).items():
            found = MAIN["services"][other]
            if wait["condition"] == "service_healthy" and "build" not in found:
                assert "test" in found["healthcheck"], f"{name} waits for {other}"
            if wait["condition"] == "service_completed_successfully":
                assert found["restart"] == "no"
            assert set(service["networks"]) & set(found["networks"]) or other == "migrate"


def test_volumes_and_networks_are_declared_and_used() -> None:
    for compose in COMPOSE:
        content = load(compose)
        used = {
            volume.partition(":")[0]
            for service in content["services"].values()
            for volume in service.get("volumes", [])
        }
        assert {name for name in used if name[0] not in "./"} == set(content["volumes"])
    networks = {name for service in MAIN["services"].values() for name in service["networks"]}
    assert networks == set(MAIN["networks"])


def test_only_the_proxy_can_be_reached_and_only_it_is_believed() -> None:
    assert [name for name, service in MAIN["services"].items() if "ports" in service] == ["caddy"]
    front = MAIN["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert MAIN["services"]["web"]["environment"]["AURICLE_TRUSTED_PROXIES"] == front
    members = [name for name, each in MAIN["services"].items() if "front" in each["networks"]]
    assert sorted(members) == ["caddy", "web"]


def test_the_settings_of_the_containers_make_sense() -> None:
    environment = MAIN["services"]["web"]["environment"]
    values = {
        name.removeprefix("AURICLE_").lower(): re.sub(r"\$\{\w+:-?([^}]*)\}", r"\1", value)
        for name, value in environment.items()
        if name.startswith("AURICLE_")
    }
    Settings.model_validate(values | {"public_url": "https://speech.example.com"})


def test_the_proxy_asks_the_server_where_it_listens() -> None:
    port = re.search(r"^EXPOSE (\d+)", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert port is not None
    assert f"reverse_proxy web:{port[1]} " in (DEPLOY / "Caddyfile").read_text()
    assert f"127.0.0.1:{port[1]}/health" in (DEPLOY / "Dockerfile").read_text()


def test_the_image_is_locked_and_runs_as_somebody_with_a_name() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    installs = [line for line in re.findall(r"pip install (.*)", text) if "==" not in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert "-r requirements/run.txt" in text
    user = re.findall(r"^USER (\S+)", text, re.M)[-1]
    assert re.search(rf"useradd .* {user}$", text, re.M)


def _commands() -> list[list[str]]:
    """All commands of ours that deploy/ and its documents name."""
    found = [
        service.get("command", []) for service in MAIN["services"].values() if "build" in service
    ]
    for unit in UNITS:
        parser = ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(unit)
        assert parser["Service"]["User"] == "auricle"
        found.append(parser["Service"]["ExecStart"].split()[1:])
    readme = (DEPLOY / "README.md").read_text()
    named = re.findall(r"(?:^|bin/|web |worker |`)auricle ([a-z][^`#\n]*)", readme, re.M)
    named += re.findall(r"run --rm .*? migrate ([a-z].*)", readme)
    return found + [line.split() for line in named]


def test_every_command_exists() -> None:
    assert len(_commands()) > 12
    for words in _commands():
        command: Any = get_command(app)
        rest = list(words)
        while hasattr(command, "commands"):
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
        options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= options, words


def test_the_documents_name_files_that_are_there() -> None:
    readme = (DEPLOY / "README.md").read_text()
    for name in re.findall(r"deploy/([\w./-]+[a-z])", readme):
        assert (DEPLOY / name).exists() or name in {".env", "compose.override.yaml"}, name
    for name in re.findall(r"`(systemd/[\w.-]+)`", readme):
        assert (DEPLOY / name).exists(), name
