"""Responses: their ranges, draws and scale, and populations as files."""

from pathlib import Path

import numpy as np
import pytest

from engine import chance, rules
from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from simulation import population, response
from simulation.parameters import TAGS

RESPONSES = response.load_responses()


def test_every_parameter_has_a_range_a_tag_and_a_source() -> None:
    entries = RESPONSES.parameters()
    for name in population.names():
        entries |= {f"{name}.{place}": entry for place, entry in population.load_population(name).parameters().items()}
    assert len(entries) > 150
    for place, entry in entries.items():
        assert entry.low <= entry.value <= entry.high, place
        assert entry.tag in TAGS and entry.source, place


def test_centre_is_published_and_draws_lie_in_their_ranges_and_differ_by_replication() -> None:
    entries = RESPONSES.parameters()
    assert response.centre(RESPONSES).describe() == {place: entry.value for place, entry in entries.items()}
    draws = [response.draw(RESPONSES, chance.stream(1, replication)).describe() for replication in range(200)]
    for place, entry in entries.items():
        values = np.array([draw[place] for draw in draws])
        assert entry.low <= values.min() and values.max() <= entry.high, place
        assert (np.std(values) > 0) == (entry.high > entry.low), place
    reminder = [draw["types.gentle_reminder.delta"] for draw in draws]
    assert np.mean(reminder) == pytest.approx((0.03 + 0.10 + 0.35) / 3, abs=0.015)  # the mean of the triangle
    assert draws[3] == response.draw(RESPONSES, chance.stream(1, 3)).describe()


def test_academic_effects_are_scaled_up_and_production_effects_are_not() -> None:
    record = response.centre(RESPONSES).record()
    outreach, reminder = catalogue().code("human_outreach"), catalogue().code("gentle_reminder")
    assert record["delta"][reminder] == 0.10
    assert record["delta"][outreach] == pytest.approx(0.20 * 0.24)
    assert record["hazard"][outreach] == pytest.approx(0.85**0.24)
    assert record["hazard"][reminder] == 1.0


def test_off_has_no_effect_of_any_kind() -> None:
    record = response.off(RESPONSES).record()
    for name in ("delta", "volume", "conversion", "bottom_third", "person_sd", "streak", "broken", "eta", "opt_out"):
        assert not np.any(record[name]), name
    assert np.all(record["hazard"] == 1.0)


@pytest.mark.parametrize(("luck", "expected"), [(0.0, 1.0), (1.0, 4.0), (1 / 3, 2.0)])
def test_triangular_quantiles(luck: float, expected: float) -> None:
    assert response.triangular(luck, 1.0, 2.0, 4.0) == pytest.approx(expected)


def _changed(tmp_path: Path, source: Path, old: str, new: str) -> Path:
    text = source.read_text()
    assert old in text
    file = tmp_path / source.name
    file.write_text(text.replace(old, new, 1))
    return file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma ", "sgima ", "Did you mean 'sigma'"),
        ("[drop_out]", "[dropout]", "drop_out"),
        ('tag = "C"', 'tag = "X"', "'X'"),
        ("low = 0.5, high = 1.3", "low = 5.0, high = 1.3", "low <= value <= high"),
        ("{ value = 0.161, low = 0.1", "{ value = -0.1, low = -1.0", "from 0 to 1"),
        ("Asia/Shanghai", "Asia/Shanghay", "Did you mean 'Asia/Shanghai'"),
        ("source = ", "sauce = ", "Did you mean 'source'"),
    ],
)
def test_a_wrong_population_is_refused_with_a_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = _changed(tmp_path, population.FOLDER / "free_mooc.toml", old, new)
    with pytest.raises(InputError, match=message):
        population.load_population(str(file))


def test_an_unknown_population_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'free_mooc'"):
        population.load_population("free_moc")


def test_a_mix_of_unknown_actions_is_refused(tmp_path: Path) -> None:
    file = _changed(tmp_path, population.FOLDER / "free_mooc.toml", "forum_reply", "forum_repli")
    with pytest.raises(InputError, match="Did you mean 'forum_reply'"):
        population.load_population(str(file)).record(rules.load())


def test_an_unknown_or_missing_notification_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'gentle_reminder'"):
        response.load_responses(
            _changed(tmp_path, response.DEFAULT_FILE, "[types.gentle_reminder]", "[types.gentle_remainder]")
        )
    text = response.DEFAULT_FILE.read_text()
    file = tmp_path / "short.toml"
    file.write_text(text[: text.index("[types.human_outreach]")])
    with pytest.raises(InputError, match="human_outreach"):
        response.load_responses(file)
