"""Rendered street numbers that look like SVHN crops.

The recipe is that of SYN NUMBERS (Ganin & Lempitsky 2015, section 5): one to three digits with random fonts,
positions, orientations, colours of digit and background, strokes and blur; the label is the central digit.
The ranges below were chosen by visual comparison with SVHN: low contrast, strong blur, muted colours, and
neighbouring digits cut off at the sides.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dlcv.runtime.packages import data_file

SIZE = 28
FINE = 2 * SIZE  # side of the rendered image, which is halved at the end
FONT_SIZE = 72
CANVAS = (288, 128)  # width and height, enough for three digits at FONT_SIZE

# Sampling weight of each font: house numbers are mostly sans serif and bold.
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
    """The fonts, loaded once.

    Raises:
        UserError: matplotlib does not have the fonts.
    """

    def __init__(self) -> None:
        folder = data_file("matplotlib", "matplotlib/mpl-data/fonts/ttf")
        self.faces = [ImageFont.truetype(str(folder / f"{name}.ttf"), FONT_SIZE) for name in FONTS]
        weights = np.array(list(FONTS.values()), dtype=np.float64)
        self.weights = weights / weights.sum()

    def choose(self, rng: np.random.Generator) -> ImageFont.FreeTypeFont:
        """A random font, sampled by weight."""
        return self.faces[rng.choice(len(self.faces), p=self.weights)]


def render(digit: int, fonts: Fonts, rng: np.random.Generator) -> np.ndarray:
    """Render one crop.

    Args:
        digit: the central digit, 0 to 9.
        fonts: the fonts to choose from.
        rng: the generator of this image.

    Returns:
        `uint8` 28 x 28 x 3.
    """
    text, outline = _masks(digit, fonts.choose(rng), rng)
    paper, ink = _colours(rng)
    scene = _background(paper, rng)
    if rng.random() < 0.3:
        # A shadow, or the edge of a raised metal digit.
        shift = rng.integers(1, 4, size=2) * rng.choice((-1, 1), size=2)
        scene = _paint(scene, np.roll(text, tuple(shift), axis=(0, 1)), scene * rng.uniform(0.3, 0.8), 0.8)
    if outline is not None:
        rim = np.clip(paper + (paper - ink) * rng.uniform(-0.4, 0.8), 0, 1)
        scene = _paint(scene, outline, rim, rng.uniform(0.5, 1))
    scene = _paint(scene, text, ink + _smooth_noise(rng, 0.05), rng.uniform(0.8, 1))
    return _photograph(scene, rng)


def _masks(digit: int, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Coverage in [0, 1] of the number and of its outline (None in three of four images), both FINE x FINE."""
    left = str(rng.integers(1, 10)) if rng.random() < 0.55 else ""
    right = str(rng.integers(10)) if rng.random() < 0.5 else ""
    spacing = rng.uniform(-2, 8)
    x0, y0, x1, y1 = font.getbbox(str(digit))
    middle = (CANVAS[0] / 2, CANVAS[1] / 2)
    origin = (middle[0] - (x0 + x1) / 2, middle[1] - (y0 + y1) / 2)
    # SVHN crops are about as high as the digit's box; widths vary with fonts and viewing angles.
    scale_y = (y1 - y0) / rng.uniform(0.52, 0.9) / FINE
    scale_x = scale_y * rng.uniform(0.95, 1.75)
    angle = np.deg2rad(np.clip(rng.normal(0, 5), -15, 15))
    shear, tilt = rng.normal(0, 0.12), np.tan(angle)
    dx, dy = rng.normal(0, 1.6, size=2)
    # Pillow's transform maps pixels of the crop to the canvas: (x, y) to (ax + by + c, dx + ey + f).
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
    """RGB colours in [0, 1] of the background and of the digits, often similar."""
    # Walls, plates and shade: mostly muted blues and browns, and a few saturated plates.
    hue = rng.choice((rng.normal(0.62, 0.06), rng.normal(0.07, 0.05), rng.random()), p=(0.5, 0.4, 0.1)) % 1
    saturation = rng.beta(1.2, 6.5) if rng.random() < 0.92 else rng.uniform(0.3, 0.8)
    value = rng.beta(1.6, 1.4) * 0.9 + 0.07
    paper = np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)
    contrast = 0.12 + 0.75 * rng.beta(1.2, 2.0)
    level = float(paper.mean())
    # Brighter or darker than the background with equal probability; where that leaves [0, 1], the side with more room.
    up = rng.random() < 0.5
    if (up and level + contrast > 1.02) or (not up and level - contrast < -0.02):
        up = level < 0.5
    tint = np.array(colorsys.hsv_to_rgb(rng.random(), rng.beta(1.2, 4), 1.0), dtype=np.float32) - 0.85
    ink = level + (contrast if up else -contrast) + (paper - level) * rng.uniform(0, 0.8) + tint * rng.uniform(0, 0.5)
    return paper, np.clip(ink, 0, 1).astype(np.float32)


def _background(paper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wall or plate with shading, smooth noise and often an edge: float32 FINE x FINE x 3."""
    y, x = np.mgrid[-1 : 1 : FINE * 1j, -1 : 1 : FINE * 1j].astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    across = x * np.cos(direction) + y * np.sin(direction)
    scene = paper + (across * rng.normal(0, 0.05))[..., None] + _smooth_noise(rng, rng.uniform(0, 0.05))
    if rng.random() < 0.4:
        # The edge of a plate, a door frame or a joint of a wall: horizontal or vertical, near a side.
        along = x if rng.random() < 0.6 else y
        position, softness = rng.uniform(0.6, 1.0), rng.uniform(0.02, 0.2)
        side = 1 / (1 + np.exp(-(along * rng.choice((-1, 1)) - position) / softness))
        other = np.clip(paper + rng.normal(0, 0.22) + rng.normal(0, 0.04, size=3), 0, 1)
        scene = _paint(scene, side, other, 1)
    if rng.random() < 0.12:
        # The stripes of siding or of rows of bricks.
        waves = np.sin((y + 0.2 * rng.normal() * x) * rng.uniform(6, 16) + rng.uniform(0, 6))
        scene = scene + (waves * rng.uniform(0.01, 0.06))[..., None]
    return np.asarray(scene, dtype=np.float32)


def _smooth_noise(rng: np.random.Generator, amplitude: float) -> np.ndarray:
    """Noise with a scale of a few pixels: FINE x FINE x 1."""
    coarse = Image.fromarray(rng.normal(0, amplitude, size=(7, 7)).astype(np.float32))
    return np.asarray(coarse.resize((FINE, FINE), Image.Resampling.BICUBIC), dtype=np.float32)[..., None]


def _paint(scene: np.ndarray, coverage: np.ndarray, colour: np.ndarray, opacity: float) -> np.ndarray:
    """Blend a colour over the scene where `coverage`, FINE x FINE in [0, 1], is positive."""
    weight = coverage[..., None] * opacity
    return scene * (1 - weight) + colour * weight


def _photograph(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur the scene, halve its size and add noise: `uint8` 28 x 28 x 3."""
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    # The radius is in pixels of the scene. Many SVHN crops are enlarged from about a dozen pixels.
    image = image.filter(ImageFilter.GaussianBlur(0.6 + 3.4 * rng.beta(1.3, 2.2)))
    small = np.asarray(image.reduce(2), dtype=np.float32)
    noise = rng.normal(0, rng.uniform(0, 2.5), size=(SIZE, SIZE, 1)) + rng.normal(0, 0.8, size=(SIZE, SIZE, 3))
    return np.clip(small + noise, 0, 255).astype(np.uint8)
