"""The document about networks says what the capability objects say."""

from __future__ import annotations

from pathlib import Path

from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import Feature, Idempotency
from contentcaster.platforms.describe import replace_generated

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


def test_the_tables_in_the_document_are_fresh() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    command = "python -m contentcaster.platforms.describe docs/networks.md"
    assert replace_generated(text) == text, f"run: {command}"


def test_capabilities_do_not_contradict_themselves() -> None:
    for platform, connector in CONNECTORS.items():
        capabilities = connector.capabilities
        assert capabilities.platform == platform
        assert capabilities.proven_on, f"{platform} does not say what it was proven on"
        assert (Feature.IMAGES in capabilities.features) == (capabilities.media.max_images > 0), platform
        assert (Feature.VIDEO in capabilities.features) == (capabilities.media.max_videos > 0), platform
        assert bool(capabilities.media.max_videos) == bool(
            capabilities.media.max_video_bytes and capabilities.media.video_types
        ), platform
        assert (Feature.ALT_TEXT in capabilities.features) == (capabilities.media.max_alt_length > 0), (
            platform
        )
        assert (capabilities.key_life_seconds > 0) == (capabilities.idempotency is Idempotency.SERVER_KEY), (
            platform
        )
        if capabilities.idempotency is Idempotency.NONE:
            assert not capabilities.can_look_up, platform


def test_every_credential_field_is_explained_and_secrets_are_secret() -> None:
    for platform, connector in CONNECTORS.items():
        for name, field in connector.Credentials.model_fields.items():
            assert field.title and field.description, f"{platform}.{name}"
            is_secret = "SecretStr" in str(field.annotation)
            looks_secret = any(word in name for word in ("token", "password", "secret", "key", "webhook_url"))
            assert is_secret >= looks_secret, f"{platform}.{name} is shown in the form"
