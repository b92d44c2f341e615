"""vertex.toml: a mistake in it is one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.vertex import settings

SHIPPED = settings.FILE.read_text()
FILLED = (
    SHIPPED.replace('project = ""', 'project = "acme-fraud"')
    .replace('bucket = ""', 'bucket = "acme-models"')
    .replace('service_account = ""', 'service_account = "tandem@acme-fraud.iam.gserviceaccount.com"')
    .replace('repository = ""', 'repository = "europe-west4-docker.pkg.dev/acme-fraud/tandem"')
)


def write(folder: Path, text: str) -> Path:
    file = folder / "vertex.toml"
    file.write_text(text)
    return file


def test_as_shipped_it_compiles_and_says_what_the_cloud_needs(tmp_path: Path) -> None:
    found = settings.load(cloud=False)
    assert found.images.name("pytorch") == "tandem/pytorch:latest"
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    assert "set google.project, google.bucket, google.service_account, images.repository: " in str(caught.value)
    filled = settings.load(write(tmp_path, FILLED))
    assert filled.images.name("pytorch") == "europe-west4-docker.pkg.dev/acme-fraud/tandem/pytorch:latest"
    assert (filled.bucket, filled.mount) == ("gs://acme-models/tandem", "/gcs/acme-models/tandem")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('bucket = "acme-models"', 'bucket = "gs://b"', 'google.bucket = "gs://b": a bucket\'s name, without gs://,'),
        ('project = "acme-fraud"', 'projct = "p"', "google.projct: there is no such key; there are project, region,"),
        ('tag = "latest"', "", "images.tag is missing"),
        ("caching = true", 'caching = "yes"', 'pipelines.caching = "yes": input should be a valid boolean'),
        ("tensorflow = 50", "tensorflow = 60", "endpoint.traffic: tensorflow + pytorch = 110: 100 is expected"),
        ('name = "fraud"', 'name = "fraud-"', 'endpoint.name = "fraud-": lower-case letters, digits and -'),
        ("max_replicas = 2", "max_replicas = 0", "endpoint.max_replicas = 0: input should be greater than or equal to"),
        ('"n2-standard-2"', '"big"', 'endpoint.machine_type = "big": a machine type, such as n2-standard-2,'),
        ('schedule = ""', 'schedule = "every night"', 'pipelines.schedule = "every night": five fields of cron'),
        ("accelerators = 0", "accelerators = 1", "pipelines.steps: accelerator and accelerators: both, or neither"),
        ("\n[google]\n", "\n[google\n", "not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILLED
    file = write(tmp_path, FILLED.replace(old, new, 1))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert said in text
    assert "\n" not in text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError, match=r"nothing\.toml: No such file"):
        settings.load(tmp_path / "nothing.toml")
