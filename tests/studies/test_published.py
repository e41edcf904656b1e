"""Published figures are found by their factors."""

from skexplain.studies.tools import Published, find_published


def test_a_figure_is_found_by_all_of_its_factors():
    figures = [
        Published("a", {"method": "m"}, "accuracy", 0.5, None),
        Published("a", {"method": "m", "size": "50"}, "accuracy", 0.6, 0.1),
        Published("a", {"method": "m"}, "seconds", 7.0, None),
    ]
    # The one that says most; numbers are compared as they are printed.
    keys = {"method": "m", "size": 50, "seed": 3}
    assert find_published(figures, keys, "accuracy") is figures[1]
    assert find_published(figures, {"method": "m", "size": 500}, "accuracy") is figures[0]
    assert find_published(figures, {"method": "m"}, "seconds") is figures[2]
    assert find_published(figures, {"method": "other", "size": 50}, "accuracy") is None
    assert find_published(figures, {}, "accuracy") is None
    assert find_published([], {"method": "m"}, "accuracy") is None
    assert (str(figures[0]), str(figures[1])) == ("0.500", "0.600 ± 0.100")
