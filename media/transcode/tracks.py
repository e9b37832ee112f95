"""Which sound tracks of a source come out, and how each is made."""

from __future__ import annotations

from longtake.contracts.containers import CONTAINERS, OF_ONE_SOUND, Container
from longtake.contracts.encode import AudioSettings, EncodeSettings
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.errors import InvalidJob
from longtake.languages import code
from media.sound.encoders import rate_of
from media.transcode.plan import AudioPlan, Clip
from media.transcode.smart_copy import check_copy, why_encode_audio


def sound_left_out(facts: MediaFacts, container: Container) -> tuple[str, ...]:
    """Words for a source's sound where the container holds none."""
    if not facts.audio or CONTAINERS[container].audio != ():
        return ()
    return (f"the sound is left out: {CONTAINERS[container].words} holds none",)


def plan_tracks(
    facts: MediaFacts, settings: EncodeSettings, clip: Clip, decisions: dict[str, str]
) -> tuple[AudioPlan, ...]:
    """The plan of every track that comes out, in order; `decisions` is told why.

    Raises InvalidJob for what contradicts the source.
    """
    if settings.audio.codec == "none" or not facts.audio:
        return ()
    chosen = _held(choose_tracks(facts.audio, settings.audio), settings)
    clipped = clip.start is not None or clip.end is not None
    if settings.audio.codec == "copy":
        if clipped:
            raise InvalidJob(
                "copied sound cannot be cut exactly: leave out start and end, "
                "or encode with `--audio aac`"
            )
        for track in chosen:
            check_copy("audio", track.codec, settings.container)
        decisions["audio"] = f"copied ({chosen[0].codec}), as asked"
        return tuple(_plan_track(facts, track, settings, clip, copied=True) for track in chosen)
    whys = [
        "a clip is cut at samples" if clipped else why_encode_audio(track, settings.audio)
        for track in chosen
    ]
    for number, why in enumerate(whys, 1):
        name = "audio" if len(whys) == 1 else f"audio {number}"
        meets = f"copied: it already meets {settings.preset}"
        decisions[name] = f"encoded: {why}" if why else meets
    return tuple(
        _plan_track(facts, track, settings, clip, copied=why is None)
        for track, why in zip(chosen, whys, strict=True)
    )


def _plan_track(
    facts: MediaFacts, track: AudioFacts, settings: EncodeSettings, clip: Clip, *, copied: bool
) -> AudioPlan:
    audio = settings.audio
    rate, channels = track.sample_rate, track.channels
    if not copied:
        rate, channels = rate_of(audio.codec, rate, audio.sample_rate), _channels(track, audio)
    # A lossy codec left out far more than rounding adds: its sound is taken as decoders give it.
    computed = rate != track.sample_rate or (channels < track.channels and not audio.take_side)
    return AudioPlan(
        stream=track.index,
        copied=copied,
        codec=track.codec,
        source_channels=track.channels,
        source_layout=track.layout,
        sample_rate=rate,
        channels=channels,
        bits=audio.bit_depth or (24 if (track.bits or 16) > 16 else 16),
        finer=(track.bits or 16) > 16 or computed,
        length_s=_sound_length(facts, track, clip),
        language=track.language,
        title=track.title,
        default=track.default,
        settings=audio,
    )


def _channels(track: AudioFacts, audio: AudioSettings) -> int:
    if audio.take_side is None:
        return min(track.channels, audio.channels)
    if track.channels != 2:
        raise InvalidJob(
            f"take_side {audio.take_side} is for stereo; this track has {track.channels} channels"
        )
    return min(2, audio.channels)


def _sound_length(facts: MediaFacts, track: AudioFacts, clip: Clip) -> float:
    begin = facts.start_s + float(clip.start or 0)
    end = track.start_s + track.duration_s
    if clip.end is not None:
        end = min(end, facts.start_s + float(clip.end))
    return round(max(0.0, end - begin), 6)


def choose_tracks(
    tracks: tuple[AudioFacts, ...], settings: AudioSettings
) -> tuple[AudioFacts, ...]:
    """The tracks that `settings.tracks` names, in that order, each once.

    Left out: the default one, else the first; with copy, all. A language means every track in
    it. Raises InvalidJob, naming the tracks there are, for one that is not there.
    """
    if settings.tracks == "all" or (settings.tracks is None and settings.codec == "copy"):
        return tracks
    if settings.tracks is None:
        return (next((track for track in tracks if track.default), tracks[0]),)
    chosen: list[AudioFacts] = []
    for asked in settings.tracks:
        found = _find(tracks, asked)
        if not found:
            raise InvalidJob(f"there is no sound track {asked!r}; there are {_listed(tracks)}")
        chosen += [track for track in found if track not in chosen]
    return tuple(chosen)


def _held(chosen: tuple[AudioFacts, ...], settings: EncodeSettings) -> tuple[AudioFacts, ...]:
    """What the container holds of them: of `all` into one that holds a single track, the default
    one, else the first. Raises InvalidJob where several were named."""
    if len(chosen) < 2 or settings.container not in OF_ONE_SOUND:
        return chosen
    if settings.audio.tracks not in (None, "all"):
        raise InvalidJob(
            f"{CONTAINERS[settings.container].words} holds one sound track, and "
            f"{len(chosen)} are asked for: name one with `--audio-track`, or write to .m4a or .mkv"
        )
    return (next((track for track in chosen if track.default), chosen[0]),)


def _find(tracks: tuple[AudioFacts, ...], asked: int | str) -> list[AudioFacts]:
    if isinstance(asked, int):
        return [tracks[asked - 1]] if asked <= len(tracks) else []
    return [track for track in tracks if track.language and code(track.language) == code(asked)]


def _listed(tracks: tuple[AudioFacts, ...]) -> str:
    return ", ".join(
        f"{number} ({track.language or 'no language'})" for number, track in enumerate(tracks, 1)
    )
