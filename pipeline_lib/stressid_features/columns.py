"""Which of StressID's published features know how long a recording is, and which do not.

Rest lasts two to three minutes there and a task one, so what grows with the length names the task
before the person does. Each column is judged by its formula in the authors' code
(ecg_features.py, eda_features.py and respiration_features.py of robustml-eurecom/stressID). Some
depend on the length of any recording (GROWS), others only where a signal drifts, as all do (SLOW).
"""

from collections.abc import Mapping

from pipeline_lib.core.schema import VISUAL

GROWS: Mapping[str, str] = {
    "count": "a count or sum a minute: the ends cost up to an interval, of a minute's recording "
    "three times as much as of one of three",
    "area": "a sum over all samples",
    "share": "a count over a count a minute: the share times the minutes",
    "position": "of the places of breaths in the file, so its mean is half of the length",
    "entropy": "of the places of peaks, which rise steadily: it tells how many there are",
    "spectrum": "on a grid of frequencies that is coarser in shorter recordings: VLF is 0 in a "
    "recording of a minute",
    "extreme": "a smallest or largest value, a range of the two, or a mean of what exceeds a tenth "
    "of the largest: more extreme the more is seen",
}
SLOW: Mapping[str, str] = {
    "spread": "a spread over the whole recording, which holds the slower changes the longer it is "
    "(Task Force 1996 of SDNN)",
    "own_deviation": "in standard deviations of the recording itself, drift included: the signals "
    "were standardised before they were filtered",
    "constant": "0 in all recordings, but for what filters make of their ends",
}
KEPT = "kept"
WHY: Mapping[str, str] = {**GROWS, **SLOW}

_ECG = {
    KEPT: "meanHR meanNN medianNN SDSD RMSSD SD1 ku_ecg sk_ecg",
    "count": "nNN triHRV",
    "share": "pNN20 pNN50",
    "entropy": "apEn sampEn",
    "spectrum": "totalpower LF HF VLF VHF LF/HF rLF rHF peakLF peakHF",
    "extreme": "minHR maxHR modeHR minNN maxNN max_ecg min_ecg",
    "spread": "sdHR SDNN CVNN SD2 SD1SD2 q20NN q80NN",
    "own_deviation": "sd_ecg median_ecg q1_ecg q3_ecg q05_ecg q95_ecg",
    "constant": "mean_ecg ULF",
}
_RSP = {
    KEPT: "meanRR meanBB medianBB SDSDb RMSSDb SD1_rrv meanTT medianTT ku_rsp sk_rsp",
    "count": "nBB",
    "position": "meanBW SDBW medianBW q20BW q80BW minBW maxBW",
    "entropy": "apEn_rrv",
    "spectrum": "totalpower_rsp LF_rsp HF_rsp VHF_rsp LF/HF_rsp rLF_rsp rHF_rsp peakLF_rsp "
    "peakHF_rsp",
    "extreme": "minRR maxRR modeRR minBB maxBB minTT maxTT minBA maxBA max_rsp min_rsp",
    "spread": "sdRR SDNNb CVNNb SD2_rrv SD1SD2_rrv SDTT q20BB q80BB q20TT q80TT",
    "own_deviation": "meanBA SDBA medianBA q20BA q80BA sd_rsp median_rsp q1_rsp q3_rsp q05_rsp "
    "q95_rsp",
    "constant": "mean_rsp VLF_rsp",
}
_EDA = {
    KEPT: "ku_eda sk_eda median_eda",
    "count": "nSCR sumAmpSCR sumRespSCR",
    "area": "aucSCR",
    "extreme": "max_eda min_eda dynrange max_scr min_scr max_scl min_scl maxAmpSCR meanAmpSCR "
    "meanRespSCR",
    "own_deviation": "sd_eda sd_scr sd_scl scl_slope",
    "constant": "mean_eda mean_scr mean_scl",
}

# Published name -> ours; the prefix is the channel, hence the modality (models.tabular).
PHYSIO: Mapping[str, str] = {
    name: f"{channel}_{name}"
    for channel, columns in (("ECG", _ECG), ("RSP", _RSP), ("EDA", _EDA))
    for names in columns.values()
    for name in names.split()
}
VIDEO: Mapping[str, str] = {
    f"{statistic}_{name}": f"visual_{name}_{statistic}"
    for statistic in ("mean", "std")
    for name in VISUAL["stressid42"]
}
# Our name -> KEPT, or why not. Of a face, means are kept and deviations are a spread.
VERDICT: Mapping[str, str] = {
    **{
        PHYSIO[name]: verdict
        for columns in (_ECG, _RSP, _EDA)
        for verdict, names in columns.items()
        for name in names.split()
    },
    **{ours: KEPT if ours.endswith("_mean") else "spread" for ours in VIDEO.values()},
}

# Which columns a system is given. The first is the honest one.
VIEWS: Mapping[str, tuple[str, ...]] = {
    KEPT: (KEPT,),
    "steady": (KEPT, *SLOW),  # without what grows by its formula
    "all": (KEPT, *SLOW, *GROWS),
    "grows": tuple(GROWS),
}


def of_view(view: str) -> list[str]:
    """The columns of a view; a face has none that grows by its formula."""
    return [name for name, verdict in VERDICT.items() if verdict in VIEWS[view]]
