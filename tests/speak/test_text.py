"""A reply's text, made fit to be spoken."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.speak.text import MAX_SENTENCE_CHARS, MAX_TEXT_CHARS, sentences, speakable


def test_emoji_controls_and_marks_are_not_spoken() -> None:
    assert speakable("Done \U0001f44d\U0001f3fd!\x07 *Really*_now_ [[h@lo]]") == "Done ! Really now h@lo"


def test_a_text_without_letters_or_digits_is_silence() -> None:
    assert [speakable(text) for text in ("", "  \n", "\U0001f600", "…!?", "***")] == ["", "", "", "", ""]


def test_other_scripts_and_degrees_stay() -> None:
    assert speakable("거실은 21°C") == "거실은 21°C"


def test_a_very_long_text_is_cut_at_a_word() -> None:
    spoken = speakable("word " * 10_000)
    assert len(spoken) <= MAX_TEXT_CHARS
    assert spoken.endswith("word …")


def test_sentences_are_cut_where_a_speaker_pauses() -> None:
    text = 'Okay. Dr. Smith comes at 7 p.m. today! "Really?" Yes, J. R. Smith.'
    assert sentences(text) == ["Okay.", "Dr. Smith comes at 7 p.m. today!", '"Really?"', "Yes, J. R. Smith."]


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    clause = "and then some more of it"
    pieces = sentences(", ".join([clause] * 20))
    assert len(pieces) > 1
    assert all(piece.endswith(("it,", "it")) for piece in pieces)


@given(st.text(max_size=3_000))
def test_pieces_are_short_and_lose_nothing(text: str) -> None:
    spoken = speakable(text)
    pieces = sentences(spoken)
    assert all(0 < len(piece) <= MAX_SENTENCE_CHARS for piece in pieces)
    assert "".join(pieces).replace(" ", "") == spoken.replace(" ", "")
    assert speakable(spoken) == spoken
