"""Every transform on one photograph, at the low end, in the middle and at the high end of what it draws."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

import augrng as ar
from augrng.transforms import Transform
from pipelines.show.sheets import BACKGROUND, INK, font

_MARGIN, _LINE, _COLUMNS = 6, 13, 3
# Words whose uniforms are 0, 1/2 and just below 1; their upper bits spread what is drawn as a remainder.
ENDS = {"low": 0, "middle": 0x2AC0_0000, "high": 0x557F_FFFF}


def transforms(side: int) -> list[Transform]:
    """One of each transform, for images of this side."""
    part = side * 2 // 3
    return [
        ar.RandomCrop(part, part), ar.CenterCrop(part, part), ar.RandomResizedCrop(part, part),
        ar.Resize(part, side), ar.Pad(side // 8), ar.RandomFlip("horizontal_and_vertical"),
        ar.RandomQuarterTurn(), ar.RandomRotation(30), ar.RandomZoom(0.4), ar.RandomTranslation(0.2, 0.2),
        ar.RandomShear(0.3), ar.RandomAffine(20, (0.1, 0.1), (0.7, 1.3), 15), ar.RandomPerspective(0.4, p=1),
        ar.RandomBrightness(0.4), ar.RandomContrast(0.4, 1.8), ar.RandomSaturation(0, 2), ar.RandomHue(0.2),
        ar.RandomGamma(0.5, 2), ar.RandomJpegQuality(2, 40), ar.ToGrayscale(), ar.RandomGrayscale(p=1),
        ar.ColorJitter(0.4, 0.4, 0.4, 0.1), ar.RandomInvert(p=1), ar.RandomPosterize(2, p=1),
        ar.RandomSolarize(128, p=1), ar.RandomAutocontrast(p=1), ar.RandomEqualize(p=1),
        ar.RandomAdjustSharpness(4, p=1), ar.RandomChannelShuffle(), ar.GaussianBlur(15, (0.3, 4)),
        ar.GaussianNoise((0, 0.2)), ar.RandomErasing(p=1), ar.Cutout(side // 3),
        ar.GridMask((side // 6, side // 3), p=1),
        ar.RandAugment(2, 15), ar.TrivialAugmentWide(), ar.AutoAugment("imagenet"), ar.AugMix(),
    ]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Shown:
    """What one transform makes: pictures and captions at the three ends."""

    transform: Transform
    pictures: Sequence[np.ndarray]
    captions: Sequence[str]


def shown(transform: Transform, image: np.ndarray) -> Shown:
    """What a transform makes of an image, uint8[side, side, 3]."""
    aug = ar.Compose([transform], seed=0)
    (name,) = aug.transforms
    pictures, captions = [], []
    for word in ENDS.values():
        words = tf.constant(word, tf.uint32, [1, max(1, transform.num_words)])
        size = tf.constant([image.shape[:2]], tf.int64)
        drawn = transform.draw(tf.constant([[1, word]], tf.int64), words, size)
        params = {name: {key: value[0] for key, value in drawn.items()}}
        pictures.append(aug.apply(image, params).numpy())
        captions.append(aug.describe(params)[name])
    return Shown(transform, pictures, captions)


def gallery(image: np.ndarray, side: int = 96) -> Image.Image:
    """All transforms on one image, three beside each other.

    Args:
      image: uint8[H, W, 3]; its middle square is shown.
      side: of each picture, in pixels.

    Returns:
      An RGB picture.
    """
    height, width = image.shape[:2]
    edge = min(height, width)
    square = image[(height - edge) // 2 :, (width - edge) // 2 :][:edge, :edge]
    small = np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))
    all_shown = [shown(transform, small) for transform in transforms(side)]
    across = len(ENDS) * (side + _MARGIN) + 2 * _MARGIN
    down = side + 2 * _LINE + 2 * _MARGIN
    sheet = Image.new("RGB", (_COLUMNS * across, -(-len(all_shown) // _COLUMNS) * down + _MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for place, one in enumerate(all_shown):
        left, top = place % _COLUMNS * across + _MARGIN, place // _COLUMNS * down + _MARGIN
        draw.text((left, top), repr(one.transform)[: across // 6], fill=INK, font=font())
        for number, (pixels, caption) in enumerate(zip(one.pictures, one.captions, strict=True)):
            picture = Image.fromarray(pixels)
            picture.thumbnail((side, side))
            x = left + number * (side + _MARGIN)
            sheet.paste(picture, (x, top + _LINE))
            draw.text((x, top + _LINE + side), caption[: side // 6 + 1], fill=INK, font=font())
    return sheet
