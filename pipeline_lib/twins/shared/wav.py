"""The only writing of sound files."""

import wave
from pathlib import Path

from pipeline_lib.core import tables
from pipeline_lib.video.encode import Track


def write_wav(path: Path, sound: Track) -> None:
    """Write 16-bit PCM, whole or not at all; the same sound gives the same bytes."""

    def write(temporary: Path) -> None:
        with wave.open(str(temporary), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sound.sampling_rate)
            file.writeframes(sound.samples.astype("<i2").tobytes())

    tables.atomic_write(path, write)
