"""`longtake transcode`: a job from options, then follow it."""

from __future__ import annotations

from pathlib import Path

from longtake.cli import options, values
from longtake.cli.submit import envelope, given, start_and_follow
from longtake.contracts.encode import EncodePreset
from longtake.errors import OutputConflict
from longtake.kinds import parse


def transcode(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: options.Output,
    preset: options.Preset = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_wait: options.NoWait = False,
    salvage: options.Salvage = False,
    start: options.Start = None,
    end: options.End = None,
    video: options.Video = None,
    crf: options.Crf = None,
    quality: options.QualityTarget = None,
    bitrate: options.Bitrate = None,
    height: options.Height = None,
    upscale: options.Upscale = False,
    speed: options.EncoderSpeed = None,
    profile: options.Profile = None,
    pixel_format: options.PixelFormat = None,
    max_bitrate: options.MaxBitrate = None,
    keyframe_interval: options.KeyframeInterval = None,
    crop: options.Crop = None,
    fit: options.Fit = None,
    pad: options.Pad = None,
    deinterlace: options.Deinterlace = None,
    frame_rate: options.FrameRate = None,
    denoise: options.Denoise = None,
    hdr: options.HdrUse = None,
    watermark: options.WatermarkImage = None,
    watermark_position: options.WatermarkPosition = None,
    watermark_margin: options.WatermarkMargin = None,
    watermark_opacity: options.WatermarkOpacity = None,
    watermark_width: options.WatermarkWidth = None,
    captions: options.CaptionSource = None,
    audio: options.Audio = None,
    audio_track: options.AudioTrack = None,
    audio_bitrate: options.AudioBitrate = None,
    channels: options.Channels = None,
    sample_rate: options.SampleRate = None,
    bit_depth: options.BitDepth = None,
    take_side: options.TakeSide = None,
    chapters: options.Chapters = None,
    black: options.BlackLength = None,
    silence: options.SilenceLength = None,
    silence_level: options.SilenceLevel = None,
    shortest_chapter: options.ShortestChapter = None,
    job_id: options.Id = None,
    priority: options.Priority = None,
    tenant: options.Tenant = None,
    label: options.Label = None,
    deadline: options.Deadline = None,
    group: options.Group = None,
    notify: options.Notify = None,
    chunk: options.Chunk = None,
    gpu: options.Gpu = None,
) -> None:
    """Encode a media file into another. The same command again joins the same job."""
    if Path(output).is_dir():
        raise OutputConflict(f"{output} is a folder; name a file in it")
    mark = {
        "image": watermark,
        "position": watermark_position,
        "margin": watermark_margin,
        "opacity": watermark_opacity,
        "width": watermark_width,
    }
    picture = {
        "codec": video,
        "crf": crf,
        "quality": quality,
        "bitrate_bps": values.bit_rate(bitrate),
        "speed": speed,
        "profile": profile,
        "pixel_format": pixel_format,
        "height": height,
        "upscale": upscale or None,
        "max_bitrate_bps": values.bit_rate(max_bitrate),
        "keyframe_interval_s": keyframe_interval,
        "crop": crop,
        "fit": fit,
        "pad": pad,
        "deinterlace": deinterlace,
        "frame_rate": frame_rate,
        "denoise": denoise,
        "hdr": hdr,
        "watermark": given(mark) or None,
        "captions": values.captions(captions),
    }
    sound = {
        "codec": audio,
        "tracks": values.tracks(audio_track or []),
        "bitrate_bps": values.bit_rate(audio_bitrate),
        "channels": channels,
        "sample_rate": sample_rate,
        "bit_depth": bit_depth,
        "take_side": take_side,
    }
    breaks = {
        "black_s": black,
        "silence_s": silence,
        "silence_dbfs": silence_level,
        "shortest_s": shortest_chapter,
    }
    asked = {
        **envelope(job_id, priority, tenant, label, deadline, group, notify),
        "gpu": gpu,
        "input": input,
        "output": output,
        "preset": values.preset(preset, EncodePreset),
        "video": given(picture),
        "audio": given(sound),
        "start": start,
        "end": end,
        "chunk_s": chunk,
        "chapters": values.chapters(chapters, given(breaks)),
        "salvage": salvage,
        "overwrite": overwrite,
    }
    job = parse(given(asked))
    start_and_follow(job, as_json=as_json, no_wait=no_wait)
