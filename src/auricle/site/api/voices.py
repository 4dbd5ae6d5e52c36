"""Enrolled voices: who they are is told in the account's transcripts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from auricle.library.models import Voice
from auricle.library.voices import LONGEST_CLIP_S, MOST_CLIP_BYTES, add
from auricle.site.api.auth import account_of


class VoiceSerializer(serializers.ModelSerializer[Voice]):
    """A voice without its print, which nobody is shown."""

    status = serializers.SerializerMethodField()
    error = serializers.CharField(source="message", read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)

    class Meta:
        model = Voice
        fields: ClassVar = ["id", "name", "status", "error", "created_at"]

    @extend_schema_field(serializers.ChoiceField(["processing", "ready", "failed"]))
    def get_status(self, row: Voice) -> str:
        if row.message:
            return "failed"
        return "ready" if row.vector else "processing"


class NewVoiceSerializer(serializers.Serializer[Any]):
    """What enrols a voice."""

    name = serializers.CharField(max_length=100)
    file = serializers.FileField(
        help_text=f"A recording of that voice alone, at most {LONGEST_CLIP_S:g} seconds."
    )

    def validate_file(self, value: Any) -> Any:
        if value.size > MOST_CLIP_BYTES:
            raise serializers.ValidationError(
                f"The clip has more than {MOST_CLIP_BYTES / 1e6:g} MB. Send it as MP3 or FLAC."
            )
        return value


class VoicesView(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Voice],
):
    """Voices that are known by name. Deleting one deletes its print."""

    serializer_class = VoiceSerializer
    queryset = Voice.objects.none()
    parser_classes = (MultiPartParser,)
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Voice]:
        rows = Voice.objects.filter(account=account_of(self.request))
        return rows.defer("clip").order_by("id")

    @extend_schema(request=NewVoiceSerializer, responses={202: VoiceSerializer})
    def create(self, request: Request) -> Response:
        """Enrol a voice. It is ``ready`` when a worker has heard the clip, in seconds."""
        wanted = NewVoiceSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        content = wanted.validated_data["file"].read()
        row = add(account_of(request).pk, wanted.validated_data["name"], content)
        return Response(VoiceSerializer(row).data, status=status.HTTP_202_ACCEPTED)
