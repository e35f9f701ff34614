import re
from collections.abc import Sequence
from decimal import Decimal

from django.utils.html import escape

from core.money import quantity_written
from pages.charts import Series, bars

DAYS = [escape(day) for day in ("1 Nov", "2 Nov", "3 Nov")]


def _series(
    values: Sequence[Decimal], *, level: Decimal | None = None, over_from: int | None = None
) -> Series:
    written = [quantity_written(value) for value in values]
    return Series("Calls", DAYS, values, written, level, over_from)


def _values(*values: int) -> list[Decimal]:
    return [Decimal(value) for value in values]


def _heights(svg: str) -> list[float]:
    return [float(height) for height in re.findall(r'<rect [^>]*? height="([\d.]+)"', svg)]


def test_bars_are_as_high_as_their_days() -> None:
    svg = bars(_series(_values(50, 100, 25)))

    assert _heights(svg) == [60.0, 120.0, 30.0]


def test_each_bar_is_titled_with_its_day_and_quantity() -> None:
    svg = bars(_series(_values(1500, 0, 2)))

    assert re.findall("<title>(.*?)</title>", svg) == ["1 Nov: 1,500", "3 Nov: 2"]


def test_the_scale_ends_at_a_round_number() -> None:
    assert ">2,500</text>" in bars(_series(_values(2100, 1, 1)))
    assert ">0.2</text>" in bars(_series([Decimal("0.15")] * 3))


def test_bars_after_the_included_quantity_look_different() -> None:
    svg = bars(_series(_values(1, 2, 3), over_from=1))

    assert svg.count("chart__bar--over") == 2
    assert 'class="chart__level" x1="33.33%" x2="33.33%"' in svg


def test_a_level_far_above_the_bars_does_not_press_them_flat() -> None:
    near = bars(_series(_values(10, 10, 10), level=Decimal(20)))
    far = bars(_series(_values(10, 10, 10), level=Decimal(2000)))

    assert "chart__level" in near
    assert "chart__level" not in far
    assert _heights(far) == [120.0, 120.0, 120.0]


def test_a_correction_hangs_below_the_ground() -> None:
    svg = bars(_series(_values(100, -100, 100)))

    assert _heights(svg) == [60.0, 60.0, 60.0]
    assert "2 Nov: −100" in svg


def test_a_month_without_usage_draws_its_ground_and_nothing_else() -> None:
    svg = bars(_series(_values(0, 0, 0)))

    assert "<rect" not in svg
    assert "chart__ground" in svg


def test_a_picture_brings_no_style_and_no_script_and_escapes_its_words() -> None:
    svg = bars(Series('"><script>', DAYS, _values(1, 1, 1), ["1"] * 3))

    assert "style" not in svg
    assert "<script" not in svg
