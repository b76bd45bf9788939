"""Say a text with eSpeak NG: `python espeak.py VOICE RATE PITCH RANGE TEXT`, a WAV to stdout.

A program of its own, for the library carries its phases and random breath from one text to the
next: the same text is the same sound in a new process only. It comes with espeakng-loader.
"""

import ctypes
import sys
import wave

import espeakng_loader

# The values of speak_lib.h.
_SYNCHRONOUS = 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def main(voice: str, rate: str, pitch: str, pitch_range: str, text: str) -> None:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    blocks: list[bytes] = []

    def keep(samples: int | None, n_times: int, events: int | None) -> int:
        if samples:
            blocks.append(ctypes.string_at(samples, 2 * n_times))
        return 0

    data = espeakng_loader.get_data_path()
    sampling_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0)
    if sampling_rate <= 0:
        raise SystemExit(f"eSpeak NG does not start with {data}")
    callback = _CALLBACK(keep)  # to be held as long as it may be called
    library.espeak_SetSynthCallback(callback)
    ctypes.CDLL(None).srand(1)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    if library.espeak_SetVoiceByName(voice.encode()):
        raise SystemExit(f"eSpeak NG has no voice {voice}")
    for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
        library.espeak_SetParameter(parameter, int(value), 0)
    content = text.encode()
    library.espeak_Synth(content, len(content) + 1, 0, 1, 0, _UTF8, None, None)
    samples = b"".join(blocks)
    with wave.open(sys.stdout.buffer, "wb") as file:
        file.setparams((1, 2, sampling_rate, len(samples) // 2, "NONE", ""))
        file.writeframesraw(samples)


if __name__ == "__main__":
    main(*sys.argv[1:])
