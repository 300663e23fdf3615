from coursecove.text import is_storable, numbered, one_line, paragraphs, slugify


def test_a_name_becomes_a_readable_address() -> None:
    assert slugify("Piano for Beginners", fallback="lesson") == "piano-for-beginners"
    assert slugify("Tomás Rey", fallback="person") == "tomas-rey"
    assert slugify("  Mia’s  45' lesson! ", fallback="lesson") == "mias-45-lesson"
    assert slugify("Straße & Øresund, Łódź, İstanbul", fallback="x") == "strasse-oresund-lodz-istanbul"


def test_a_name_without_latin_letters_falls_back() -> None:
    assert slugify("日本語", fallback="lesson") == "lesson"
    assert slugify("— ! —", fallback="lesson") == "lesson"
    assert slugify("日本語 2", fallback="lesson") == "2"


def test_a_long_name_is_cut_between_words_and_a_long_word_anywhere() -> None:
    assert slugify("word " * 30, fallback="x", longest=17) == "word-word-word"
    assert slugify("a" * 200, fallback="x") == "a" * 60


def test_a_numbered_address_never_grows_too_long() -> None:
    assert numbered("piano", 1) == "piano"
    assert numbered("piano", 2) == "piano-2"
    assert numbered("a" * 60, 12) == "a" * 57 + "-12"
    assert numbered("a" * 56 + "-bcd", 12) == "a" * 56 + "-12"


def test_white_space_is_tidied() -> None:
    assert one_line("  Piano\t for\nall ") == "Piano for all"
    assert paragraphs(" first\r\n\r\nsecond \n") == "first\n\nsecond"


def test_what_a_database_cannot_keep_is_told_apart_from_any_script() -> None:
    assert is_storable("Größe\n\tपियानो 🎹 مرحبا")
    for refused in ("a\x00b", "\x1b[31m", "\ud800"):
        assert not is_storable(refused)
