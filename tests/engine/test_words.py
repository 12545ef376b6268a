"""The words of notifications: whatever is known of a learner, every type in every language is fit to be sent."""

from __future__ import annotations

import itertools
import re
import tomllib
import unicodedata
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.notifications import words as module
from engine.notifications.catalogue import catalogue
from engine.notifications.facts import FIELDS, Facts, Language, clean, cut, fields
from engine.notifications.words import LIMITS, Rendered, Words, too_long_by, words

KINDS = catalogue().names
LANGUAGES = ("en", "de", "es", "ar")
TEMPLATES = Path(module.__file__).with_name("templates")
GAPS = ("None", "  ", " ,", " .", " ،", "«»", "“”", "„“", '""')
FAMILY, FLAG = "👨‍👩‍👧‍👦", "🇩🇪"
ORDINARY = Facts(
    name="Ada",
    learning_style="video",
    streak_days=12,
    level="Scholar",
    progress_percent=64,
    item="Linear equations",
    achievement="Week Warrior",
    milestone_days=14,
    price="39 €",
    discount_percent=20,
    tutor="Mira Novak",
)
NAMES = {
    "none": None,
    "empty": " \u200b\u3164 ",
    "right to left": "محمد",
    "left to right": "Zoë",
    "emoji": f"Ada {FAMILY}{FLAG}",
    "only emoji": FAMILY,
    "very long": "Wolfeschlegelsteinhausenbergerdorff " * 40,
    "one long word": FAMILY * 40,
    "line break": "Ada\r\nBcc: all@example.org\u2028!",
    "template": "{{ 7*7 }}",
    "markup": "<b onclick=x>Ada</b>",
    "address": "free-money.example",
    "direction": "Ada\u202e\u2067\u200f\x00",
    "lone surrogate": "Ada\ud800",
    "stacked marks": "A" + "\u0301" * 500,
}


def faults(sent: Rendered) -> list[str]:
    """Return what is wrong with a notification."""
    found = []
    for variant in (name for name in asdict(sent) if name in LIMITS):
        text = getattr(sent, variant)
        parts = (
            zip(("greeting", "body"), text.split("\n\n", 1), strict=True) if variant == "body" else [(variant, text)]
        )
        wrong = [f"{name} is too long" for name, part in parts if too_long_by(name, part) > 0]
        line = text.replace("\n", "") if variant == "body" else text
        wrong += ["a control"] * any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in line)
        wrong += ["a template"] * ("{{" in text) + ["blank"] * (not text.strip())
        wrong += ["an open isolate"] * (text.count("\u2068") != text.count("\u2069"))
        found += [f"{variant}: {each}: {text!r}" for each in wrong]
    return found


def all_faults(facts: Facts) -> list[str]:
    """Return what is wrong in any type and language, gaps where a field is missing included."""
    sent = [words().render(kind, tag, facts) for kind in KINDS for tag in LANGUAGES]
    gaps = [(gap, each) for each in sent for gap in GAPS if any(gap in str(text) for text in asdict(each).values())]
    return [fault for each in sent for fault in faults(each)] + [f"{gap!r} in {each}" for gap, each in gaps]


@pytest.mark.parametrize("name", NAMES)
def test_every_type_in_every_language_is_fit_to_be_sent_to_any_name(name: str) -> None:
    assert all_faults(replace(ORDINARY, name=NAMES[name])) == []
    assert all_faults(Facts(name=NAMES[name])) == []
    if name != "template":
        assert all_faults(Facts(**dict.fromkeys(("level", "item", "achievement", "price", "tutor"), NAMES[name]))) == []


def test_what_stands_in_a_value_is_not_run() -> None:
    sent = words().render("gentle_reminder", "en", Facts(item="{{ 7*7 }} in Jinja"))
    assert sent.subject == "“{{ 7*7 }} in Jinja” is next whenever you are ready"


@given(
    st.builds(
        Facts,
        name=st.none() | st.text(),
        learning_style=st.none() | st.text() | st.sampled_from(["video", "reading", "practice", "social"]),
        streak_days=st.none() | st.integers(),
        progress_percent=st.none() | st.integers(-1, 101),
        milestone_days=st.none() | st.integers(),
        discount_percent=st.none() | st.integers(-1, 101),
    ),
    st.sampled_from(KINDS),
    st.sampled_from(LANGUAGES),
)
def test_no_facts_make_a_notification_unfit(facts: Facts, kind: str, tag: str) -> None:
    assert faults(words().render(kind, tag, facts)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_alternative_is_sent_to_someone_of_whom_just_its_fields_are_known(kind: str) -> None:
    languages = tomllib.loads((TEMPLATES / "languages.toml").read_text("utf-8"))
    texts = tomllib.loads((TEMPLATES / f"{kind}.toml").read_text("utf-8"))
    assert tuple(texts) == tuple(languages) == LANGUAGES
    for tag, variant in itertools.product(LANGUAGES, texts["en"]):
        for source in texts[tag][variant]:
            facts = Facts(**{name: getattr(ORDINARY, name) for name in re.findall(r"{{ (\w+) }}", source)})
            known = fields(facts, Language.model_validate(languages[tag]))
            expected = re.sub(r"{{ (\w+) }}", lambda field, known=known: known[field[1]], source)
            sent = getattr(words().render(kind, tag, facts), variant)
            assert (sent.split("\n\n", 1)[1] if variant == "body" else sent) == expected


def test_the_most_personal_words_that_suit_are_sent() -> None:
    sent = words().render("streak_warning", "en-GB", ORDINARY)
    assert (sent.push_title, sent.direction, sent.locale) == ("Your 12-day streak, Ada", "ltr", "en")
    assert (
        sent.body.startswith("Hi Ada,\n\nYour streak stands at 12 days.") and "a short video, for example" in sent.body
    )
    stranger = words().render("streak_warning", "en", Facts(learning_style="by osmosis", streak_days=1))
    assert stranger.push_title == "Your streak" and stranger.body.startswith("Hello,\n\nOne small step")
    long = replace(ORDINARY, item="How to " + "count " * 40)  # cut to 60 characters it fits a push, but not a subject
    assert words().render("gentle_reminder", "en", long).subject == "Ada, your course is here whenever you are ready"
    assert "count count…”" in words().render("gentle_reminder", "en", long).push
    assert "20\u00a0% Rabatt" in words().render("discount_offer", "de", ORDINARY).sms


@pytest.mark.parametrize(
    ("locale", "tag"),
    [("de-AT", "de"), ("es_419", "es"), ("AR-eg", "ar"), ("en", "en"), ("fr-FR", "en"), ("", "en"), (None, "en")],
)
def test_a_locale_gets_its_nearest_language(locale: str | None, tag: str) -> None:
    sent = words().render("discount_offer", locale, Facts())
    assert (sent.locale, sent.direction) == (tag, "rtl" if tag == "ar" else "ltr")


def test_a_value_that_runs_the_other_way_stands_alone() -> None:
    for tag, name in (("en", "محمد"), ("ar", "Ada")):
        assert f"\u2068{name}\u2069" in words().render("gentle_reminder", tag, Facts(name=name)).subject
    for tag, name in (("ar", "محمد"), ("en", "Ada"), ("ar", FAMILY)):
        subject = words().render("gentle_reminder", tag, Facts(name=name)).subject
        assert name in subject and "\u2068" not in subject


def test_a_value_is_cut_between_words_and_never_within_what_is_seen_as_one_character() -> None:
    assert cut("Introduction to algebra", 18) == "Introduction to…"
    assert cut("A" + "b" * 9, 5) == "Abbb…"
    for whole in (FAMILY, FLAG, "👍🏽", "e\u0323\u0301", "क्ष", "🏴\U000e0067\U000e0062\U000e007f"):
        assert {cut(whole * 5, longest).rstrip("…").replace(whole, "") for longest in range(1, 5 * len(whole))} == {""}
    assert cut(FAMILY, 3) == ""
    assert clean("  a\tb\n\x00c\u202e ", 40) == "a b c" and clean("e\u0301", 1) == "é"
    assert [clean(hidden, 40) for hidden in ("", "\u200d", "\u3164", "...", "\ud800")] == [""] * 5


def test_an_sms_counts_as_the_network_does() -> None:
    assert too_long_by("sms", "a" * 160) == 0 and too_long_by("sms", "a" * 158 + "€") == 0
    assert too_long_by("sms", "ñ" * 161) == 1 and too_long_by("sms", "á" * 70) == 0
    assert too_long_by("sms", "😀" * 36) == 2  # two units each


def own(folder: Path, kind: str, old: str, new: str) -> Words:
    """Return words with one shipped file edited."""
    text = (TEMPLATES / f"{kind}.toml").read_text("utf-8")
    assert old in text
    (folder / f"{kind}.toml").write_text(text.replace(old, new), "utf-8")
    return Words(folder)


def test_a_user_changes_the_words_of_one_type(tmp_path: Path) -> None:
    mine = own(tmp_path, "discount_offer", '"A lower price for you"', '"Cheaper"')
    assert mine.render("discount_offer", "en", Facts()).subject == "Cheaper"
    assert mine.render("gentle_reminder", "en", Facts()) == words().render("gentle_reminder", "en", Facts())


EMPTY = "".join(f'{variant} = ["-"]\n' for variant in ("subject", "body", "push_title", "push", "sms", "in_app"))
TITLE = '"Ready when you are"]'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TITLE, "\"{{ ''.__class__ }}\"]", "gentle_reminder.toml: en.push_title, alternative 2; .*nothing else"),
        (TITLE, "\"{{ 'a' * 10**9 }}\"]", "nothing else"),
        (TITLE, '"{% for i in range(9) %}a{% endfor %}"]', "nothing else"),
        (TITLE, '"{{ name.__class__ }}"]', "nothing else"),
        (TITLE, '"{{ name"]', "end of print statement|unexpected"),
        (TITLE, '"{{ nam }}"]', "got 'nam'; expected a known field. Did you mean 'name'"),
        (TITLE, '"{{ name }}"]', "en.push_title, last alternative; got name; expected no field"),
        (TITLE, f'"{"long " * 11}"]', "shorter by 5 characters"),
        (TITLE, '"two\\nlines"]', "one line of text"),
        (TITLE, '" "]', "one line of text"),
        ("push_title = [", "push_titel = [", "en.push_title; got nothing"),
        ("[ar]", "[fr]", "ar; got nothing; expected each language"),
        ("[en]", "[fr]\n[en]", "fr.subject; got nothing"),
        ("[en]", f"[enn]\n{EMPTY}[en]", "enn; got an unknown language. Did you mean 'en'"),
        ("[en]", "[en", "a readable TOML file"),
    ],
)
def test_templates_that_could_not_be_sent_are_refused_as_they_are_read(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        own(tmp_path, "gentle_reminder", old, new)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gentle_remindr.toml").touch()
    with pytest.raises(InputError, match="Did you mean 'gentle_reminder'"):
        Words(tmp_path)
    with pytest.raises(InputError, match="Did you mean 'discount_offer'"):
        words().render("discount_ofer", "en", Facts())
    assert set(FIELDS) == set(asdict(ORDINARY))
