"""The lines of each class of transient, as textbooks show them.

Wavelengths are those of the ions, at rest in air; depths and heights are by eye, our choice, so that colours
and shapes are those of the class.
"""

from __future__ import annotations

from dataclasses import replace

from .photospheres import Line

__all__ = [
    "CART",
    "IA",
    "IAX",
    "IA_91BG",
    "IB",
    "IC",
    "IC_BL",
    "II",
    "IIB",
    "IIN",
    "KILONOVA",
    "SLSN",
    "TDE",
    "scaled",
]

_CALCIUM = (
    Line(3945.0, absorbs=0.60, emits=0.10),
    Line(8579.0, absorbs=0.40, emits=0.15, when="peak", width=1.3),
    Line(8579.0, absorbs=0.30, emits=0.55, when="late", width=1.4),
)
# Blends of Fe II, stronger as matter cools.
_IRON = (
    Line(4550.0, absorbs=0.30, emits=0.15, when="late", width=1.3),
    Line(5018.0, absorbs=0.35, emits=0.10, when="late", width=1.3),
    Line(5169.0, absorbs=0.30, when="always", width=1.0),
)

IA = (
    *_CALCIUM,
    *_IRON,
    Line(4130.0, absorbs=0.18, when="early"),
    Line(4481.0, absorbs=0.32, emits=0.08, when="early", width=1.4),
    Line(4950.0, absorbs=0.22, when="early", width=1.3),
    Line(5454.0, absorbs=0.16, emits=0.05, when="early", width=0.7),
    Line(5640.0, absorbs=0.24, emits=0.10, when="early", width=0.7),
    Line(5972.0, absorbs=0.10, when="early"),
    Line(6355.0, absorbs=0.52, emits=0.15, when="early"),
    Line(5893.0, absorbs=0.30, when="late", width=1.3),
    Line(7774.0, absorbs=0.20, when="early"),
)
IA_91BG = (
    *_CALCIUM,
    *_IRON,
    Line(4395.0, absorbs=0.62, when="always", width=1.6),  # Ti II, the trough
    Line(5640.0, absorbs=0.28, emits=0.10, when="early", width=0.8),
    Line(5972.0, absorbs=0.30, when="early"),
    Line(6355.0, absorbs=0.60, emits=0.10, when="early"),
    Line(7774.0, absorbs=0.45, emits=0.10, when="peak"),
)
IAX = (
    *_CALCIUM,
    *_IRON,
    Line(4404.0, absorbs=0.30, when="peak"),
    Line(6355.0, absorbs=0.20, when="early"),
    Line(6149.0, absorbs=0.25, when="late"),
    Line(7155.0, emits=0.40, when="nebular"),
)
CART = (
    *_CALCIUM,
    *_IRON,
    Line(5876.0, absorbs=0.40, emits=0.15),
    Line(6678.0, absorbs=0.15),
    Line(7065.0, absorbs=0.20, emits=0.10),
    Line(7308.0, emits=1.4, when="late", width=0.8),  # [Ca II], the mark of the class
    Line(7308.0, emits=3.5, when="nebular", width=0.8),
)
_OXYGEN_NEBULAR = (Line(6330.0, emits=0.8, when="nebular"), Line(7308.0, emits=0.6, when="nebular"))
IB = (
    *_CALCIUM,
    *_IRON,
    *_OXYGEN_NEBULAR,
    Line(4471.0, absorbs=0.20, when="peak"),
    Line(5876.0, absorbs=0.50, emits=0.25),
    Line(6678.0, absorbs=0.22, emits=0.06),
    Line(7065.0, absorbs=0.30, emits=0.12),
    Line(10830.0, absorbs=0.55, emits=0.30),
)
IIB = (
    *IB,
    Line(6563.0, absorbs=0.35, emits=0.45, when="early"),
    Line(4861.0, absorbs=0.30, emits=0.10, when="early"),
)
IC = (
    *_CALCIUM,
    *_IRON,
    *_OXYGEN_NEBULAR,
    Line(4481.0, absorbs=0.30, when="peak", width=1.3),
    Line(5893.0, absorbs=0.30, emits=0.10),
    Line(6355.0, absorbs=0.20, when="early"),
    Line(7774.0, absorbs=0.45, emits=0.15),
)
# The same at twice the velocity melt into one another.
IC_BL = (
    Line(3945.0, absorbs=0.50),
    Line(4700.0, absorbs=0.40, emits=0.12, width=1.2),
    Line(5169.0, absorbs=0.30, when="late", width=1.2),
    Line(6355.0, absorbs=0.25, emits=0.06),
    Line(8000.0, absorbs=0.35, emits=0.25, width=1.2),
    Line(6330.0, emits=0.8, when="nebular", width=0.6),
)
# Hydrogen; that of Type II is seen best once the matter has cooled, well after the first days.
II = (
    Line(6563.0, absorbs=0.10, emits=0.20),
    Line(6563.0, absorbs=0.35, emits=0.80, when="late"),
    Line(6563.0, emits=1.2, when="nebular", width=0.8),
    Line(4861.0, absorbs=0.25, emits=0.08),
    Line(4340.0, absorbs=0.25),
    Line(3945.0, absorbs=0.50, when="late"),
    Line(4550.0, absorbs=0.30, when="late", width=1.3),
    Line(5018.0, absorbs=0.25, when="late"),
    Line(5169.0, absorbs=0.30, when="late"),
    Line(5893.0, absorbs=0.35, emits=0.10, when="late"),
    Line(8579.0, absorbs=0.35, emits=0.45, when="late", width=1.3),
)
IIN = (
    Line(6563.0, emits=0.9),
    Line(6563.0, emits=2.5, when="late"),
    Line(4861.0, emits=0.4),
    Line(4861.0, emits=0.5, when="late"),
    Line(4340.0, emits=0.2),
    Line(5876.0, emits=0.1),
    Line(8579.0, emits=0.5, when="nebular"),
)
# O II between 3700 and 4650 while hot, then as a Type Ic.
SLSN = (
    Line(4115.0, absorbs=0.12, when="early", width=0.6),
    Line(4357.0, absorbs=0.18, when="early", width=0.6),
    Line(4650.0, absorbs=0.20, when="early", width=0.6),
    Line(2800.0, absorbs=0.45, width=1.2),
    Line(2670.0, absorbs=0.30, width=1.2),
    Line(3945.0, absorbs=0.35, when="late"),
    Line(5169.0, absorbs=0.30, when="late", width=1.3),
    Line(4571.0, emits=0.30, when="late"),
    Line(7774.0, absorbs=0.20, emits=0.25, when="late"),
    Line(8579.0, emits=0.30, when="late", width=1.2),
)
TDE = (
    Line(6563.0, emits=0.30),
    Line(4861.0, emits=0.10),
    Line(4686.0, emits=0.18),  # He II
)
# Sr II, a feature from 0.7 to 1.0 micrometres (Gillanders et al. 2022, abstract).
KILONOVA = (Line(10300.0, absorbs=0.20, emits=0.25, width=0.7),)


def scaled(lines: tuple[Line, ...], factor: float) -> tuple[Line, ...]:
    """The same lines, all deeper or shallower; none absorbs more than 0.9."""
    return tuple(
        replace(line, absorbs=min(0.9, line.absorbs * factor), emits=line.emits * factor) for line in lines
    )
