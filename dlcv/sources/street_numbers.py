"""Rendered street numbers that look like SVHN crops.

After the SYN NUMBERS recipe (Ganin & Lempitsky 2015, section 5): one to three digits in varied fonts,
positions, orientations, colours of digit and background, strokes and amounts of blur; the label is the
digit in the centre. The ranges below were set by eye beside real SVHN: low contrast, strong blur, dull
colours, neighbours cut off at the sides.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dlcv.runtime.packages import data_file

SIZE = 28
FINE = 2 * SIZE  # drawn at twice the size and halved at the end
FONT_SIZE = 72
CANVAS = (288, 128)  # room for three digits at FONT_SIZE

# House numbers are mostly sans serif and bold; each font's weight says how often it is drawn.
FONTS = {
    "DejaVuSans-Bold": 4,
    "DejaVuSans": 3,
    "DejaVuSans-Oblique": 1,
    "DejaVuSans-BoldOblique": 1,
    "DejaVuSansMono-Bold": 2,
    "DejaVuSansMono": 1,
    "DejaVuSerif-Bold": 2,
    "DejaVuSerif": 1,
    "DejaVuSerif-Italic": 1,
    "STIXGeneral": 1,
    "STIXGeneralBol": 2,
    "STIXGeneralBolIta": 1,
    "cmb10": 1,
    "cmss10": 2,
    "cmr10": 1,
}


class Fonts:
    """The fonts, opened once.

    Raises:
        UserError: matplotlib lacks one of the files.
    """

    def __init__(self) -> None:
        folder = data_file("matplotlib", "matplotlib/mpl-data/fonts/ttf")
        self.faces = [ImageFont.truetype(str(folder / f"{name}.ttf"), FONT_SIZE) for name in FONTS]
        weights = np.array(list(FONTS.values()), dtype=np.float64)
        self.weights = weights / weights.sum()

    def choose(self, rng: np.random.Generator) -> ImageFont.FreeTypeFont:
        """A font at random, by weight."""
        return self.faces[rng.choice(len(self.faces), p=self.weights)]


def render(digit: int, fonts: Fonts, rng: np.random.Generator) -> np.ndarray:
    """Draw one crop.

    Args:
        digit: 0 to 9, the digit in the centre.
        fonts: the fonts to draw with.
        rng: of this one image.

    Returns:
        `uint8` 28 x 28 x 3.
    """
    text, outline = _masks(digit, fonts.choose(rng), rng)
    paper, ink = _colours(rng)
    scene = _background(paper, rng)
    if rng.random() < 0.3:
        # A shadow, or the side of a raised metal digit.
        shift = rng.integers(1, 4, size=2) * rng.choice((-1, 1), size=2)
        scene = _paint(scene, np.roll(text, tuple(shift), axis=(0, 1)), scene * rng.uniform(0.3, 0.8), 0.8)
    if outline is not None:
        rim = np.clip(paper + (paper - ink) * rng.uniform(-0.4, 0.8), 0, 1)
        scene = _paint(scene, outline, rim, rng.uniform(0.5, 1))
    scene = _paint(scene, text, ink + _smooth_noise(rng, 0.05), rng.uniform(0.8, 1))
    return _photograph(scene, rng)


def _masks(digit: int, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Coverage in [0, 1] of the number and of its outline (often None), both FINE x FINE."""
    left = str(rng.integers(1, 10)) if rng.random() < 0.55 else ""
    right = str(rng.integers(10)) if rng.random() < 0.5 else ""
    spacing = rng.uniform(-2, 8)
    x0, y0, x1, y1 = font.getbbox(str(digit))
    middle = (CANVAS[0] / 2, CANVAS[1] / 2)
    origin = (middle[0] - (x0 + x1) / 2, middle[1] - (y0 + y1) / 2)
    # SVHN crops are as high as the digit's box, give or take; widths vary with fonts and viewing angles.
    scale_y = (y1 - y0) / rng.uniform(0.52, 0.9) / FINE
    scale_x = scale_y * rng.uniform(0.95, 1.75)
    angle = np.deg2rad(np.clip(rng.normal(0, 5), -15, 15))
    shear, tilt = rng.normal(0, 0.12), np.tan(angle)
    dx, dy = rng.normal(0, 1.6, size=2)
    # From a pixel of the crop back to the canvas, as Pillow wants it.
    a, b = scale_x, scale_x * (shear + tilt)
    d, e = -scale_y * tilt, scale_y
    c = middle[0] - a * (FINE / 2 + dx) - b * (FINE / 2 + dy)
    f = middle[1] - d * (FINE / 2 + dx) - e * (FINE / 2 + dy)

    def draw(stroke: int) -> np.ndarray:
        canvas = Image.new("L", CANVAS)
        pen = ImageDraw.Draw(canvas)
        pen.text(origin, str(digit), font=font, fill=255, stroke_width=stroke)
        if left:
            pen.text(
                (origin[0] - font.getlength(left) - spacing, origin[1]), left, font=font, fill=255, stroke_width=stroke
            )
        if right:
            after = origin[0] + font.getlength(str(digit)) + spacing
            pen.text((after, origin[1]), right, font=font, fill=255, stroke_width=stroke)
        crop = canvas.transform((FINE, FINE), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
        return np.asarray(crop, dtype=np.float32) / 255

    weight = int(rng.choice((0, 0, 1, 2)))
    outline = draw(weight + int(rng.integers(2, 6))) if rng.random() < 0.25 else None
    return draw(weight), outline


def _colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours in [0, 1] of the background and of the digits, often close to each other."""
    # Walls, plates and shade: blues and browns, mostly dull, a few saturated plates.
    hue = rng.choice((rng.normal(0.62, 0.06), rng.normal(0.07, 0.05), rng.random()), p=(0.5, 0.4, 0.1)) % 1
    saturation = rng.beta(1.2, 6.5) if rng.random() < 0.92 else rng.uniform(0.3, 0.8)
    value = rng.beta(1.6, 1.4) * 0.9 + 0.07
    paper = np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)
    contrast = 0.12 + 0.75 * rng.beta(1.2, 2.0)
    level = float(paper.mean())
    # Bright on dark and dark on bright are about equally common; a direction without room is turned round.
    up = rng.random() < 0.5
    if (up and level + contrast > 1.02) or (not up and level - contrast < -0.02):
        up = level < 0.5
    tint = np.array(colorsys.hsv_to_rgb(rng.random(), rng.beta(1.2, 4), 1.0), dtype=np.float32) - 0.85
    ink = level + (contrast if up else -contrast) + (paper - level) * rng.uniform(0, 0.8) + tint * rng.uniform(0, 0.5)
    return paper, np.clip(ink, 0, 1).astype(np.float32)


def _background(paper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wall or plate with shading, blotches and often an edge: float32 FINE x FINE x 3."""
    y, x = np.mgrid[-1 : 1 : FINE * 1j, -1 : 1 : FINE * 1j].astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    across = x * np.cos(direction) + y * np.sin(direction)
    scene = paper + (across * rng.normal(0, 0.05))[..., None] + _smooth_noise(rng, rng.uniform(0, 0.05))
    if rng.random() < 0.4:
        # The rim of a plate, a door frame, a joint of a wall: level or upright, near a side.
        along = x if rng.random() < 0.6 else y
        position, softness = rng.uniform(0.6, 1.0), rng.uniform(0.02, 0.2)
        side = 1 / (1 + np.exp(-(along * rng.choice((-1, 1)) - position) / softness))
        other = np.clip(paper + rng.normal(0, 0.22) + rng.normal(0, 0.04, size=3), 0, 1)
        scene = _paint(scene, side, other, 1)
    if rng.random() < 0.12:
        # Siding or brick courses.
        waves = np.sin((y + 0.2 * rng.normal() * x) * rng.uniform(6, 16) + rng.uniform(0, 6))
        scene = scene + (waves * rng.uniform(0.01, 0.06))[..., None]
    return np.asarray(scene, dtype=np.float32)


def _smooth_noise(rng: np.random.Generator, amplitude: float) -> np.ndarray:
    """Blotches of a few pixels: FINE x FINE x 1."""
    coarse = Image.fromarray(rng.normal(0, amplitude, size=(7, 7)).astype(np.float32))
    return np.asarray(coarse.resize((FINE, FINE), Image.Resampling.BICUBIC), dtype=np.float32)[..., None]


def _paint(scene: np.ndarray, coverage: np.ndarray, colour: np.ndarray, opacity: float) -> np.ndarray:
    weight = coverage[..., None] * opacity
    return scene * (1 - weight) + colour * weight


def _photograph(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small, unsharp photograph of the scene: `uint8` 28 x 28 x 3."""
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    # In pixels of the fine image. Many SVHN crops are enlarged from a dozen pixels.
    image = image.filter(ImageFilter.GaussianBlur(0.6 + 3.4 * rng.beta(1.3, 2.2)))
    small = np.asarray(image.reduce(2), dtype=np.float32)
    noise = rng.normal(0, rng.uniform(0, 2.5), size=(SIZE, SIZE, 1)) + rng.normal(0, 0.8, size=(SIZE, SIZE, 3))
    return np.clip(small + noise, 0, 255).astype(np.uint8)
