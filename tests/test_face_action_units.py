"""Action units: MediaPipe's canonical face with landmarks moved by hand, and real faces."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, strategies as st
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from pipeline_lib.core.schema import AU_INTENSITIES, AU_PRESENCES
from pipeline_lib.face import feature_extraction, geometry
from pipeline_lib.face.action_units import COEFFICIENTS, UNITS, measures
from pipeline_lib.face.landmarker import Face
from pipeline_lib.face.neutral import score
from pipeline_lib.face.second_pass import BATCH, with_action_units
from pipeline_lib.face.tracking import follower

Asset = Callable[[str], Path]
Floats = npt.NDArray[np.float64]

REFERENCE = Path(__file__).with_name("openface_2_neutral_then_smiling.csv")
ROWS = {unit: i for i, unit in enumerate(UNITS)}
PX_PER_CM = 20.0
NO_EXPRESSION = np.zeros((1, len(COEFFICIENTS)))

# Where landmarks go when a unit acts, in cm: outward from the middle of the face, up, backward.
# Pairs by their landmark on the left of the image; the one on the right moves as its mirror image.
UP, DOWN = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
ACTIONS: Mapping[str, dict[tuple[int, ...], tuple[float, float, float]]] = {
    "01": {(55, 107): UP},
    "02": {(46, 53, 63, 70): UP},
    "04": {(55, 107): (-0.5, -1.0, 0.0), (52, 105): DOWN},
    "05": {(158, 159, 160): UP},
    "06": {(50, 117, 118): UP},
    "07": {(144, 145, 153): UP},
    "09": {(98, 129): UP, (55, 107): DOWN},
    "10": {(37, 39, 40, 0): UP},
    "12": {(61,): (1.0, 1.0, 0.5)},
    "14": {(61,): (0.0, 0.0, 1.0)},
    "15": {(61,): DOWN},
    "17": {(17, 14, 87): UP, (0, 13, 82): UP},
    "20": {(61,): (1.0, 0.0, 0.0)},
    "23": {(61,): (-1.0, 0.0, 0.0), (0,): DOWN, (17,): UP},
    "25": {(13, 82): (0.0, 0.5, 0.0), (14, 87): (0.0, -0.5, 0.0)},
    "26": {(14, 17, 87, 199, 152): DOWN, (61,): (0.0, -0.5, 0.0)},
    "28": {(0,): DOWN, (17,): UP},
    "45": {(158, 159, 160): DOWN},
}


@pytest.fixture(scope="module")
def canonical(asset: Asset) -> Floats:
    """MediaPipe's canonical face (478, 3), in the camera's axes and px; irises are not in it."""
    with zipfile.ZipFile(asset("face_landmarker")) as task:
        mesh = task.read("geometry_pipeline_metadata_landmarks.binarypb")
    # The vertices come first, x y z u v each, every number behind its protobuf tag.
    numbers = np.frombuffer(mesh, dtype=[("tag", "u1"), ("value", "<f4")], count=468 * 5, offset=8)
    assert set(numbers["tag"]) == {0x1D}
    points = np.zeros((478, 3))
    points[:468] = numbers["value"].reshape(-1, 5)[:, :3] * [1.0, -1.0, -1.0]
    return PX_PER_CM * points


@pytest.fixture(scope="module")
def mirror_image(canonical: Floats) -> npt.NDArray[np.intp]:
    """Which landmark lies where each one is seen in a mirror."""
    points = canonical[:468]
    distances, pairs = KDTree(points).query(points * [-1.0, 1.0, 1.0])
    assert distances.max() < 0.05 * PX_PER_CM
    return np.concatenate([pairs, np.arange(468, 478)])


def acting(
    face: Floats, mirror_image: npt.NDArray[np.intp], unit: str, *, cm: float, sides: int = 2
) -> Floats:
    """The face with one unit's landmarks moved, on the left of the image or on both sides."""
    moved = face.copy()
    for landmarks, (outward, up, back) in ACTIONS[unit].items():
        for i in landmarks:
            step = cm * PX_PER_CM * np.array([-outward, -up, back])
            if i == mirror_image[i]:
                moved[i] += step * [0.0, 1.0, 1.0] * sides / 2
            else:
                moved[i] += step
                moved[mirror_image[i]] += step * [-1.0, 1.0, 1.0] * (sides == 2)
    return moved


def recording(face: Floats, last: list[Floats]) -> Floats:
    """Intensities (n, 18) of some frames, of a person who was at rest for long before."""
    frames = np.stack([face] * (9 * len(last)) + last)
    coefficients = np.repeat(NO_EXPRESSION, len(frames), axis=0)
    return score(measures(frames, coefficients), np.arange(len(frames)) * 1.0)[0][-len(last) :]


def test_the_rigid_landmarks_lie_where_the_models_own_face_has_them(canonical: Floats) -> None:
    placed = canonical[list(geometry.RIGID)] / PX_PER_CM
    np.testing.assert_allclose(placed, list(geometry.RIGID.values()), atol=0.001)


def test_every_action_of_the_schema_has_a_unit_and_a_test() -> None:
    columns = {name[2:4] for name in (*AU_INTENSITIES, *AU_PRESENCES)}
    assert columns == set(UNITS) == set(ACTIONS)


def test_a_face_at_rest_has_no_action_units(canonical: Floats) -> None:
    rest = measures(np.stack([canonical] * 30), np.repeat(NO_EXPRESSION, 30, axis=0))
    intensities, presences = score(rest, np.arange(30) / 30)
    assert (np.delete(intensities, ROWS["25"], axis=1) < 0.4).all()
    assert intensities.max() < 0.7  # its lips are half a cm apart
    assert not presences.any()


@pytest.mark.parametrize("unit", UNITS)
def test_a_larger_displacement_gives_a_larger_unit(
    canonical: Floats, mirror_image: npt.NDArray[np.intp], unit: str
) -> None:
    steps = [acting(canonical, mirror_image, unit, cm=cm) for cm in (0.0, 0.2, 0.4, 0.6, 0.8)]
    found = recording(canonical, steps)[:, ROWS[unit]]
    assert (np.diff(found) > 0.02).all()
    assert found[-1] < 5.0


@pytest.mark.parametrize("unit", UNITS)
def test_a_mirrored_face_has_the_same_units(
    canonical: Floats, mirror_image: npt.NDArray[np.intp], unit: str
) -> None:
    one_side = acting(canonical, mirror_image, unit, cm=0.5, sides=1)
    mirrored = one_side[mirror_image] * [-1.0, 1.0, 1.0]
    np.testing.assert_allclose(
        *(measures(x[None], NO_EXPRESSION) for x in (one_side, mirrored)), atol=0.005
    )


@pytest.mark.parametrize("unit", UNITS)
def test_one_side_is_half_of_both(
    canonical: Floats, mirror_image: npt.NDArray[np.intp], unit: str
) -> None:
    faces = [acting(canonical, mirror_image, unit, cm=0.5, sides=n) for n in (0, 1, 2)]
    none, one, both = measures(np.stack([canonical, *faces[1:]]), np.repeat(NO_EXPRESSION, 3, 0))[
        :, ROWS[unit], 0
    ]
    assert one - none == pytest.approx((both - none) / 2, abs=0.005)


@given(
    size=st.floats(0.2, 5.0),
    roll=st.floats(-3.1, 3.1),
    yaw=st.floats(-0.6, 0.6),
    pitch=st.floats(-0.4, 0.4),
    right=st.floats(-500, 500),
    down=st.floats(-500, 500),
)
def test_size_place_and_turn_of_the_head_change_nothing(
    canonical: Floats, size: float, roll: float, yaw: float, pitch: float, right: float, down: float
) -> None:
    generator = np.random.default_rng(3)
    face = canonical + generator.normal(scale=3.0, size=(478, 3))
    turned = face @ Rotation.from_euler("zyx", [roll, yaw, pitch]).as_matrix().T
    posed = size * turned + [right, down, 0.0]
    still, moved = measures(np.stack([face, posed]), np.repeat(NO_EXPRESSION, 2, axis=0))
    np.testing.assert_allclose(moved, still, atol=1e-4)


@given(unit=st.sampled_from(list(UNITS)), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_coefficient_never_lowers_its_unit(
    canonical: Floats, unit: str, low: float, high: float
) -> None:
    coefficients = np.zeros((20, len(COEFFICIENTS)))
    for frame, value in ((-2, min(low, high)), (-1, max(low, high))):
        coefficients[frame, [COEFFICIENTS.index(n) for n in UNITS[unit].coefficients]] = value
    faces = np.stack([canonical] * 20)
    weaker, stronger = score(measures(faces, coefficients), np.arange(20.0))[0][-2:, ROWS[unit]]
    assert stronger >= weaker


@pytest.mark.parametrize("rate", [15.0, 25.0, 60.0])
def test_the_frame_rate_changes_little(
    canonical: Floats, mirror_image: npt.NDArray[np.intp], rate: float
) -> None:
    smile = acting(canonical, mirror_image, "12", cm=1.0) - canonical

    def smiling(times: Floats) -> Floats:  # for a second, two seconds into ten
        strength = np.exp(-np.square((times - 2.5) / 0.4))
        faces = canonical + strength[:, None, None] * smile
        return score(measures(faces, np.repeat(NO_EXPRESSION, len(times), 0)), times)[0]

    usual, other = (np.arange(0, 10, 1 / hz) for hz in (30.0, rate))
    expected = np.interp(other, usual, smiling(usual)[:, ROWS["12"]])
    np.testing.assert_allclose(smiling(other)[:, ROWS["12"]], expected, atol=0.1)


@pytest.mark.parametrize("n_frames", [1, 2, 300])
def test_who_smiles_all_the_time_is_still_seen_to_smile(
    canonical: Floats, mirror_image: npt.NDArray[np.intp], n_frames: int
) -> None:
    smile = acting(canonical, mirror_image, "12", cm=1.0)
    faces = measures(np.stack([smile] * n_frames), np.repeat(NO_EXPRESSION, n_frames, 0))
    intensities, presences = score(faces, np.arange(n_frames) / 30)
    assert (intensities[:, ROWS["12"]] > 0.8).all()
    assert presences[:, ROWS["12"]].all()
    assert np.isfinite(intensities).all()


@given(
    noise=st.floats(0, 200),
    seed=st.integers(0, 1000),
    times=st.lists(st.floats(0, 5), min_size=1, max_size=8, unique=True).map(sorted),
)
def test_any_landmarks_give_intensities_from_0_to_5_and_presences_0_or_1(
    canonical: Floats, noise: float, seed: int, times: list[float]
) -> None:
    generator = np.random.default_rng(seed)
    faces = canonical + noise * generator.normal(size=(len(times), 478, 3))
    coefficients = generator.random((len(times), len(COEFFICIENTS)))
    intensities, presences = score(measures(faces, coefficients), np.array(times))
    assert ((intensities >= 0) & (intensities <= 5)).all()  # and none is NaN
    assert set(presences.ravel()) <= {0.0, 1.0}


def test_one_frame_of_a_movement_is_no_presence(
    canonical: Floats, mirror_image: npt.NDArray[np.intp]
) -> None:
    frames = np.stack([canonical] * 60)
    frames[20] = frames[40:50] = acting(canonical, mirror_image, "12", cm=1.0)
    presences = score(measures(frames, np.repeat(NO_EXPRESSION, 60, 0)), np.arange(60) / 30)[1]
    assert np.flatnonzero(presences[:, ROWS["12"]]).tolist() == list(range(40, 50))


def test_rows_come_back_in_order_and_only_faces_get_units(canonical: Floats) -> None:
    face = Face(canonical, dict.fromkeys(COEFFICIENTS, 0.0), np.eye(4))
    n_frames = BATCH + 40
    given_rows = [
        {"frame": i + 1.0, "timestamp": i / 30, "success": float(i % 3 > 0)}
        for i in range(n_frames)
    ]
    rows = list(with_action_units((row, face if row["success"] else None) for row in given_rows))
    for row, given_row in zip(rows, given_rows, strict=True):
        units = {*AU_INTENSITIES, *AU_PRESENCES} if given_row["success"] else set()
        assert set(row) == set(given_row) | units
        assert {name: row[name] for name in given_row} == given_row


def test_a_video_without_a_face_or_a_frame_has_no_units() -> None:
    assert list(with_action_units([])) == []
    assert list(with_action_units([({"timestamp": 0.0}, None)])) == [{"timestamp": 0.0}]


@dataclass(frozen=True)
class Clip:
    table: pl.DataFrame

    def mean(self, column: str, start: float, end: float) -> float:
        """Over the frames from start to end, s."""
        part = self.table.filter(pl.col("timestamp").is_between(start, end))
        return float(part[column].to_numpy().mean())

    def series(self, column: str) -> Floats:
        return self.table[column].to_numpy().astype(np.float64)


def extracted(asset: Asset, name: str, *, fps: float | None = None) -> Clip:
    with follower(asset("face_landmarker"), quiet=True) as follow:
        frames = feature_extraction.measure(asset(name), follow, fps=fps)
        return Clip(pl.DataFrame(list(with_action_units(frames))))


@pytest.fixture(scope="module")
def smiling(asset: Asset) -> Clip:
    """A man at rest who smiles from 0.6 s on, and blinks once at 0.9 s."""
    return extracted(asset, "neutral_then_smiling")


@pytest.fixture(scope="module")
def crying(asset: Asset) -> Clip:
    """A woman who cries for 6 s and laughs from 12 s on."""
    return extracted(asset, "sad_then_laughing", fps=10.0)


@pytest.fixture(scope="module")
def talking(asset: Asset) -> Clip:
    """A man who talks and twice, at 1.9 and 3.7 s, opens eyes and mouth wide; he blinks at 1.4."""
    return extracted(asset, "talking")


@pytest.mark.parametrize("unit", ["01", "04", "15", "17", "20"])
def test_the_sad_passage_is_above_the_laughing_one(crying: Clip, unit: str) -> None:
    assert crying.mean(f"AU{unit}_r", 0, 6) > crying.mean(f"AU{unit}_r", 12, 19.6) + 0.08


@pytest.mark.parametrize("unit", ["06", "10", "12", "14", "25"])
def test_the_laughing_passage_is_above_the_sad_one(crying: Clip, unit: str) -> None:
    assert crying.mean(f"AU{unit}_r", 12, 19.6) > 2.5 * crying.mean(f"AU{unit}_r", 0, 6)


def test_a_crying_mouth_is_not_taken_for_a_laugh(crying: Clip) -> None:
    assert crying.mean("AU12_r", 0, 6) < 1.0
    assert crying.mean("AU12_r", 2.5, 6) < 0.6
    assert crying.mean("AU12_r", 16, 19.6) > 2.0


def test_a_smile_raises_corners_and_cheeks(smiling: Clip) -> None:
    for column, smile in (("AU12_r", 2.5), ("AU06_r", 1.2), ("AU25_r", 1.4)):
        assert smiling.mean(column, 0, 0.45) < 0.2
        assert smiling.mean(column, 1, 2) > smile


def test_a_blink_is_45_and_short(smiling: Clip, talking: Clip) -> None:
    for clip, blink in ((smiling, 0.9), (talking, 1.4)):
        during = clip.table.filter((pl.col("timestamp") - blink).abs() < 0.1)
        assert during["AU45_r"].max() > 1.0
        assert clip.mean("AU45_r", blink - 0.5, blink - 0.2) < 0.3
        assert clip.mean("AU45_r", blink + 0.2, blink + 0.4) < 0.3


def test_an_open_mouth_is_25_and_26_and_wide_eyes_are_01_02_05(talking: Clip) -> None:
    for unit, wide in (("01", 2.5), ("02", 1.2), ("05", 0.4), ("25", 3.0), ("26", 1.8)):
        assert talking.mean(f"AU{unit}_r", 1.9, 2.05) > wide
        assert talking.mean(f"AU{unit}_c", 1.9, 2.05) == 1.0
    for unit in ("01", "02", "05", "26"):
        assert talking.mean(f"AU{unit}_r", 0.5, 1.3) < 0.4


@pytest.mark.parametrize(
    ("units", "at_least"),
    [
        (("06", "10", "12", "14", "25"), 0.97),
        (("01", "07", "15", "17", "45"), 0.85),
        (("20",), 0.6),
        (("02", "23"), 0.4),
    ],
)
def test_units_go_with_real_openface(
    smiling: Clip, units: tuple[str, ...], at_least: float
) -> None:
    for unit in units:
        assert correlation(smiling, unit) > at_least


def test_units_that_move_in_the_clip_go_with_real_openface_on_average(smiling: Clip) -> None:
    moving = [name[2:4] for name in AU_INTENSITIES if reference(name).std() > 0.1]
    assert len(moving) == 13
    assert np.mean([correlation(smiling, unit) for unit in moving]) > 0.8


def test_intensities_have_openfaces_scale(smiling: Clip) -> None:
    off = [np.abs(smiling.series(c) - reference(c)).mean() for c in AU_INTENSITIES]
    assert max(off) < 0.35
    assert np.mean(off) < 0.15


@pytest.mark.parametrize("unit", ["04", "06", "10", "12", "14", "15", "17", "28", "45"])
def test_presences_agree_with_real_openface(smiling: Clip, unit: str) -> None:
    column = f"AU{unit}_c"
    assert (smiling.series(column) == reference(column)).mean() > 0.9


def test_intensities_tell_when_real_openface_sees_a_unit(smiling: Clip) -> None:
    areas = []
    for column in AU_PRESENCES:
        present = reference(column) == 1
        if column.replace("_c", "_r") in AU_INTENSITIES and 0 < present.sum() < len(present):
            found = smiling.series(column.replace("_c", "_r"))
            pairs = found[present][:, None] - found[~present]
            areas.append(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert len(areas) == 13
    assert np.mean(areas) > 0.85


def correlation(clip: Clip, unit: str) -> float:
    column = f"AU{unit}_r"
    return float(np.corrcoef(clip.series(column), reference(column))[0, 1])


@cache
def _reference() -> pl.DataFrame:
    return pl.read_csv(REFERENCE, infer_schema=False).rename(str.strip)


def reference(column: str) -> Floats:
    return _reference()[column].str.strip_chars().cast(pl.Float64).to_numpy()
