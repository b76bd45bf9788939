"""Audio tokens: fragments where the frames are, silence and absence told, masks and lengths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

from pipeline_lib.audio.decode import Sound, read_audio
from pipeline_lib.embeddings import audio, speaker
from pipeline_lib.params import AudioEncoder, Sampling
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import Track, write_video

RATE, SECONDS, N = 16_000, 4.0, 8


def tone(hz: float, *, seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate) / 4


def recording(folder: Path, samples: np.ndarray | None, *, start: float = 0.0, **fields) -> dict:
    """4 s of video, and a sound beside it."""
    frames = [np.zeros((32, 32, 3), np.uint8)] * 100
    write_video(folder / "v.mp4", frames, frame_rate=25)
    if samples is not None:
        write_wav(folder / "v.wav", Track((samples * 2**15).astype(np.int16), RATE))
    wav = None if samples is None else "v.wav"
    return {"recording_id": "r", "subject": "s", "video": "v.mp4", "video_start": 0.0,
            "audio": wav, "audio_start": None if samples is None else start} | fields  # fmt: skip


class Loudest:
    """A network that tells a sound's strongest frequency and how long it is."""

    width = 2

    def encode(self, pieces, *, seconds):
        pieces = [audio.filled(piece, n_times=round(seconds * RATE)) for piece in pieces]
        found = [np.abs(np.fft.rfft(piece, 4 * RATE)).argmax() / 4 for piece in pieces]
        sizes = [piece.size / RATE for piece in pieces]
        return np.array([found, sizes], np.float32).T


@pytest.fixture
def embed(tmp_path, monkeypatch):
    """(status, reason, values (N, 2)) of a recording, through the network above."""
    monkeypatch.setattr(audio, "load", lambda config: Loudest())

    def embed(row: dict, *, fragmenting: str = "paper", context: float | None = None):
        config = AudioEncoder(backend="resemblyzer", model="none", context=context)
        sampling = Sampling(frames=N, fragmenting=fragmenting)
        found = audio.embed_recording(row, root=tmp_path, config=config, sampling=sampling)
        values = np.array(found.table["values"][0].to_list()).reshape(N, 2)
        return found.status, found.reason, values

    return embed


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory) -> Path:
    """A folder as a hub has it: WavLM with x-vectors, of random weights."""
    folder = tmp_path_factory.mktemp("wavlm")
    torch.manual_seed(0)
    config = WavLMConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                         intermediate_size=64, conv_dim=(16,) * 7, tdnn_dim=(16,) * 5,
                         num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
                         feat_extract_norm="layer", xvector_output_dim=24)  # fmt: skip
    WavLMForXVector(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder


def test_fragments_hold_the_sound_of_their_frames(embed, tmp_path):
    """A tone that changes in the middle."""
    samples = np.concatenate([tone(400, seconds=2), tone(1000, seconds=2)])
    status, _, values = embed(recording(tmp_path, samples))
    assert status == "ok"
    np.testing.assert_allclose(values[:, 0], [400] * 4 + [1000] * 4, atol=2)
    spacing = 3.96 / 7  # s from the first frame to the last
    np.testing.assert_allclose(values[1:-1, 1], spacing, atol=1e-4)
    np.testing.assert_allclose(values[[0, -1], 1], spacing / 2, atol=1e-4)


def test_fragments_of_the_code_are_filled_up_to_a_second(embed, tmp_path):
    _, _, values = embed(recording(tmp_path, tone(400)), fragmenting="code")
    np.testing.assert_allclose(values[:, 1], 1.0)
    np.testing.assert_allclose(values[:, 0], 400, atol=2)


def test_a_sound_that_starts_late_and_ends_early_lacks_its_ends(embed, tmp_path):
    row = recording(tmp_path, tone(400, seconds=2), start=1.0)
    status, reason, values = embed(row)
    assert (status, reason) == ("partial", "4 of 8 lie where there is no sound")
    assert np.isnan(values[[0, 1, 6, 7]]).all()
    np.testing.assert_allclose(values[2:6, 0], 400, atol=2)


def test_a_sound_longer_than_the_video_is_cut_where_that_ends(embed, tmp_path):
    _, reason, values = embed(recording(tmp_path, tone(400, seconds=9)))
    assert reason == ""
    np.testing.assert_allclose(values[-1, 1], 3.96 / 14, atol=1e-4)


def test_silence_is_missing_and_told(embed, tmp_path):
    samples = tone(400)
    samples[RATE:] = 1e-5
    status, reason, values = embed(recording(tmp_path, samples))
    assert (status, reason) == ("partial", "5 of 8 fragments are silent")
    assert np.isnan(values[3:]).all()


def test_without_a_sound_all_tokens_are_missing(embed, tmp_path):
    status, reason, values = embed(recording(tmp_path, None))
    assert (status, reason) == ("partial", "no sound")
    assert np.isnan(values).all()


def test_without_a_video_fragments_lie_evenly_over_the_sound(embed, tmp_path):
    row = recording(tmp_path, tone(400), start=0.5, video=None, video_start=None)
    _, reason, values = embed(row)
    assert reason == ""
    np.testing.assert_allclose(values[1:-1, 1], 4 / 7, atol=1e-4)


def test_a_broken_sound_fails_with_its_name(embed, tmp_path):
    row = recording(tmp_path, tone(400))
    (tmp_path / "v.wav").write_bytes((tmp_path / "v.wav").read_bytes()[:1000])
    with pytest.raises(RecordingError, match=r"v.wav: truncated"):
        embed(row)


def test_resampling_keeps_tones_and_takes_out_what_would_be_an_alias():
    for hz, level in ((440, 0.25), (15_000, 0.0)):
        high = tone(hz, rate=44_100).astype(np.float32)
        low = audio.resampled(Sound(high, 44_100, 0.0))
        assert low.size == pytest.approx(SECONDS * RATE, abs=1)
        assert np.abs(low[1000:-1000]).max() == pytest.approx(level, abs=0.01)


def test_x_vectors_do_not_depend_on_others_or_on_what_fills_them_up(wavlm):
    network = audio.load(AudioEncoder(backend="transformers", model=str(wavlm), context=None))
    long = tone(500, seconds=1.5).astype(np.float32)
    pieces = [long[: RATE // 2], long, long[:3000]]
    together = network.encode(pieces, seconds=0.0)
    assert together.shape == (3, 24)
    assert np.isfinite(together).all()  # also of 0.19 s, the paper's first fragment
    for i, piece in enumerate(pieces):
        alone = network.encode([piece], seconds=0.0)[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-5)
    filled = [network.encode(pieces[:1], seconds=s) for s in (1.0, 2.0)]
    np.testing.assert_allclose(*filled, atol=1e-5)


def test_the_speaker_encoder_tells_voices_apart(asset):
    """Two stretches of noise are nearer to each other than to a buzz."""
    network = audio.load(
        AudioEncoder(backend="resemblyzer", model=str(asset("resemblyzer")), context=1.6)
    )
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 2 * RATE)).astype(np.float32) / 20
    buzz = np.sign(tone(120, seconds=2)).astype(np.float32) / 20
    found = network.encode([noise[0], noise[1], buzz, noise[0][: RATE // 2]], seconds=0.0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found >= 0).all()
    cosines = found @ found.T
    assert cosines[0, 1] > 0.95 > cosines[0, 2]


def test_mel_bands_hold_the_power_of_a_tone_at_its_frequency():
    bands = speaker.mel(tone(1000, seconds=1).astype(np.float32))
    assert bands.shape == (101, speaker.BANDS)
    assert set(bands[5:-5].argmax(axis=1)) == {bands[50].argmax()}
    higher = speaker.mel(tone(3000, seconds=1).astype(np.float32))
    assert higher[50].argmax() > bands[50].argmax()


def test_only_quiet_sounds_are_raised():
    for level, factor in ((0.001, 10**-1.5 / 0.001), (0.5, 1.0)):
        samples = np.full(RATE, level, np.float32)
        np.testing.assert_allclose(speaker.raised(samples), level * factor, rtol=1e-4)
    assert not speaker.raised(np.zeros(9, np.float32)).any()


def test_the_sound_of_a_video_is_its_own(embed, tmp_path):
    frames = [np.zeros((32, 32, 3), np.uint8)] * 100
    track = Track((tone(700) * 2**15).astype(np.int16), RATE)
    write_video(tmp_path / "v.mp4", frames, frame_rate=25, sound=track)
    start = read_audio(tmp_path / "v.mp4").start
    row = {"recording_id": "r", "subject": "s", "video": "v.mp4", "video_start": 0.0,
           "audio": "v.mp4", "audio_start": start}  # fmt: skip
    _, reason, values = embed(row)
    assert reason == ""
    np.testing.assert_allclose(values[:, 0], 700, atol=2)
