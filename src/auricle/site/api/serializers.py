"""The REST API's JSON."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auricle.accounts.models import Account, ApiKey, Plan, PrivateInstance
from auricle.credits.services import balance
from auricle.jobs.models import Delivery, Endpoint
from auricle.library.models import Segment, Status, Transcript
from auricle.library.services import state_of
from auricle.library.words import to_segment
from auricle.text.wording import ANALYSES, CONTENTS, STYLES
from auricle.transcript import Segment as Said

STATUSES = {
    Status.DOWNLOADING: "processing",
    Status.PENDING: "processing",
    Status.RUNNING: "processing",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "failed",
}
"""Our states and STT.ai's names for them."""


PLAN_FIELDS = ["id", "name", "metered", "monthly_credits", "concurrent"]


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """An account's plan."""

    class Meta:
        model = Plan
        fields = PLAN_FIELDS


class AccountSerializer(serializers.ModelSerializer[Account]):
    """An account, as its members see and change it."""

    email = serializers.EmailField(read_only=True)
    plan = PlanSerializer(read_only=True)
    credits = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="Minutes that are left; null where they are not counted.",
    )

    class Meta:
        model = Account
        fields: ClassVar = [
            "id",
            "name",
            "email",
            "plan",
            "credits",
            "keep_audio_days",
            "keep_transcripts_days",
            "email_finished",
            "created",
        ]

    def to_representation(self, instance: Account) -> dict[str, Any]:
        # By hand: to build the fields anew for each answer takes longer than all its queries.
        plan = instance.plan
        found = {
            "email": self.context["request"].user.email,
            "plan": {name: getattr(plan, name) for name in PLAN_FIELDS},
            "credits": balance(instance.pk, plan.monthly_credits) if plan.metered else None,
        }
        return {
            name: found[name] if name in found else getattr(instance, name)
            for name in self.Meta.fields
        }


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    class Meta:
        model = ApiKey
        fields: ClassVar = ["id", "name", "prefix", "created", "last_used", "revoked"]
        read_only_fields: ClassVar = ["prefix", "created", "last_used", "revoked"]
        extra_kwargs: ClassVar = {"name": {"default": "API key"}}


class NewKeySerializer(KeySerializer):
    """A key at the only moment in which its secret is shown."""

    key = serializers.CharField(read_only=True)

    class Meta(KeySerializer.Meta):
        fields: ClassVar = [*KeySerializer.Meta.fields, "key"]


class TranscriptSerializer(serializers.ModelSerializer[Transcript]):
    """A transcript without what was said."""

    status = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="created", read_only=True)
    finished_at = serializers.DateTimeField(source="finished", read_only=True)
    progress = serializers.SerializerMethodField()
    error = serializers.CharField(source="message", read_only=True)
    speakers = serializers.SerializerMethodField()

    class Meta:
        model = Transcript
        fields: ClassVar = [
            "id",
            "slug",
            "title",
            "status",
            "language",
            "duration",
            "model",
            "speakers",
            "speaker_names",
            "file_name",
            "created_at",
            "finished_at",
            "progress",
            "reason",
            "error",
        ]
        read_only_fields: ClassVar = [
            "slug",
            "language",
            "duration",
            "model",
            "file_name",
            "reason",
        ]

    @extend_schema_field(serializers.ChoiceField(["processing", "completed", "failed"]))
    def get_status(self, row: Transcript) -> str:
        return STATUSES[Status(row.status)]

    def get_progress(self, row: Transcript) -> dict[str, float]:
        return state_of(row).to_json()

    def get_speakers(self, row: Transcript) -> list[str]:
        return [row.speaker_names.get(label, label) for label in row.speakers]

    def validate_speaker_names(self, value: Any) -> dict[str, str]:
        known = self.instance.speakers if isinstance(self.instance, Transcript) else []
        if not isinstance(value, dict) or not all(isinstance(n, str) for n in value.values()):
            raise serializers.ValidationError("Send an object of labels and names.")
        if unknown := [label for label in value if label not in known]:
            raise serializers.ValidationError(f"There is no speaker {unknown[0]!r}.")
        return {label: name.strip()[:100] for label, name in value.items() if name.strip()}


class WordSerializer(serializers.Serializer[Any]):
    """A word with its times in seconds."""

    word = serializers.CharField()
    start = serializers.FloatField()
    end = serializers.FloatField()


class SegmentSerializer(serializers.Serializer[Segment]):
    """A segment as it is read."""

    id = serializers.IntegerField()
    order = serializers.IntegerField()
    start = serializers.FloatField()
    end = serializers.FloatField()
    text = serializers.CharField()
    speaker = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField()
    words = WordSerializer(many=True)

    def to_representation(self, instance: Segment) -> dict[str, Any]:
        said = to_segment(instance, self.context["names"])
        return {"id": instance.pk, "order": instance.order, **segment_json(said)}


def segment_json(said: Said) -> dict[str, Any]:
    """What was said, as JSON."""
    return {
        "start": said.start,
        "end": said.end,
        "text": said.text,
        "speaker": said.speaker,
        "confidence": round(said.confidence, 4),
        "words": [{"word": w.bare, "start": w.start, "end": w.end} for w in said.words],
    }


class TranscriptDetailSerializer(TranscriptSerializer):
    """A transcript with what was said."""

    text = serializers.SerializerMethodField()
    segments = serializers.SerializerMethodField()
    metadata = serializers.SerializerMethodField()
    summary = serializers.SerializerMethodField(allow_null=True)

    class Meta(TranscriptSerializer.Meta):
        fields: ClassVar = [
            *TranscriptSerializer.Meta.fields,
            "text",
            "segments",
            "metadata",
            "summary",
        ]

    def get_summary(self, row: Transcript) -> str | None:
        """The newest summary, if one was made."""
        return next((summary.text for summary in row.summaries.all()), None)

    def get_metadata(self, row: Transcript) -> dict[str, Any]:
        return {
            "file_name": row.file_name,
            "file_bytes": row.size,
            "api": row.dialect,
            "language_probability": row.language_probability,
        }

    def get_text(self, row: Transcript) -> str:
        return "".join(word[0] for segment in row.segments.all() for word in segment.words).strip()

    @extend_schema_field(SegmentSerializer(many=True))
    def get_segments(self, row: Transcript) -> Any:
        context = {"names": row.speaker_names}
        one = SegmentSerializer(context=context)
        return [one.to_representation(segment) for segment in row.segments.all()]


class SummarizeSerializer(serializers.Serializer[Any]):
    """How to summarise."""

    style: Any = serializers.ChoiceField(list(STYLES), default="brief")
    language = serializers.CharField(required=False, help_text="That of the transcript without.")


class CoverageSerializer(serializers.Serializer[Any]):
    """How many segments there are, and how many the language model has read."""

    segments = serializers.IntegerField()
    read = serializers.IntegerField()


class SummarySerializer(serializers.Serializer[Any]):
    """A summary."""

    summary = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    style: Any = serializers.CharField()
    model = serializers.CharField(help_text="What has really written it.")
    language = serializers.CharField()
    coverage = CoverageSerializer()
    cached = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class AnalyzeSerializer(serializers.Serializer[Any]):
    """What to look for; everything without."""

    kinds = serializers.ListField(child=serializers.ChoiceField(list(ANALYSES)), required=False)
    type = serializers.ChoiceField(list(ANALYSES), required=False, help_text="One kind.")
    language = serializers.CharField(required=False)


class GenerateSerializer(serializers.Serializer[Any]):
    """What to write."""

    kind = serializers.ChoiceField(list(CONTENTS), required=False)
    type = serializers.ChoiceField(list(CONTENTS), required=False, help_text="The same.")
    prompt = serializers.CharField(required=False, help_text="What else is wished for.")
    language = serializers.CharField(required=False)


class ContentSerializer(serializers.Serializer[Any]):
    """What was written."""

    content = serializers.CharField()
    kind = serializers.CharField()
    type = serializers.CharField()
    items = serializers.ListField(child=serializers.DictField())
    model = serializers.CharField()
    language = serializers.CharField()
    coverage = CoverageSerializer()


class ChatSerializer(serializers.Serializer[Any]):
    """A question."""

    question = serializers.CharField(required=False)
    message = serializers.CharField(required=False, help_text="The same.")
    session_id = serializers.CharField(required=False, help_text="To go on where one has ended.")


class HitSerializer(serializers.Serializer[Any]):
    """A segment that was found."""

    segment_order = serializers.IntegerField()
    segment_id = serializers.IntegerField()
    text = serializers.CharField()
    score = serializers.FloatField(help_text="Cosine; 0 where it was found by words alone.")
    start_time = serializers.FloatField()
    end_time = serializers.FloatField()
    speaker = serializers.CharField(allow_null=True)


class AnswerSerializer(serializers.Serializer[Any]):
    """An answer, and what it is taken from."""

    answer = serializers.CharField()
    session_id = serializers.CharField()
    model = serializers.CharField()
    sources = HitSerializer(many=True)


class LibraryHitSerializer(HitSerializer):
    """A segment that was found in some transcript."""

    transcript_id = serializers.IntegerField()
    transcript_slug = serializers.CharField()
    title = serializers.CharField()


class FoundSerializer(serializers.Serializer[Any]):
    """A page of what was found."""

    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = LibraryHitSerializer(many=True)


MOST_CORRECTIONS = 500


class CorrectionSerializer(serializers.Serializer[Any]):
    """A segment's text as it should be."""

    id = serializers.IntegerField()
    text = serializers.CharField(max_length=5_000)


class ChangeSerializer(TranscriptSerializer):
    """What can be changed in a transcript."""

    segments = serializers.ListField(
        child=CorrectionSerializer(), required=False, max_length=MOST_CORRECTIONS
    )

    class Meta(TranscriptSerializer.Meta):
        fields: ClassVar = ["title", "speaker_names", "segments"]


class DaySerializer(serializers.Serializer[Any]):
    """A day of use (UTC)."""

    date = serializers.DateField()
    minutes = serializers.FloatField()
    requests = serializers.IntegerField()
    credits = serializers.IntegerField()


class UsageSerializer(serializers.Serializer[Any]):
    """The last 30 days, today last."""

    days = DaySerializer(many=True)
    total_minutes = serializers.FloatField()
    total_requests = serializers.IntegerField()
    total_credits = serializers.IntegerField()


class InstanceSerializer(serializers.ModelSerializer[PrivateInstance]):
    """A private instance of the account."""

    class Meta:
        model = PrivateInstance
        fields: ClassVar = ["id", "name", "url", "region", "status", "version", "checked"]


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """A webhook's endpoint; the secret is there to check signatures with."""

    class Meta:
        model = Endpoint
        fields: ClassVar = ["id", "url", "secret", "disabled", "created"]
        read_only_fields: ClassVar = ["secret", "created"]


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A message to an endpoint, and what became of it."""

    class Meta:
        model = Delivery
        fields: ClassVar = [
            "id",
            "event",
            "payload",
            "created",
            "attempts",
            "delivered",
            "gave_up",
            "status",
            "error",
        ]
