"""The report from made files: what it says, what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcv.report import report
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from tests.report.made import make_figures
from tests.report.made_faces import make_vae

pytestmark = pytest.mark.slow


def test_report_says_who_wins_and_where_it_comes_from(full: Path) -> None:
    report.run(load())
    text = (full / "report/report.md").read_text()
    weights = "257,254 | `ffffffffffff` | `aaaaaaaaaaaa` |"
    assert "| mnistm → svhn | source-only | lenet | 0.5000 | 0.4900 to 0.5100 |  | 0.1900 (000), " in text
    assert "|  | DANN | lenet | **0.6000** | 0.5900 to 0.6100 | +0.1000 (+0.0800 to +0.1200) | 0.4881 (000)" in text
    assert 'mnistm → svhn: DANN is more accurate than "source-only" (lenet), by 3 pairs of trainings.' in text
    assert 'mnistm → usps: no difference between DANN and "source-only" (lenet) is shown by 3 pairs' in text
    assert 'usps → mnistm: DANN is less accurate than "source-only" (lenet), by 3 pairs of trainings.' in text
    assert "(AdaBN), and no other use of the target, the accuracy is 0.6789." in text
    assert "### Network gta-source\n" in text
    base = '"source-only, as Generate To Adapt" (lenet)'
    assert f"Generate To Adapt and {base}: nothing can be said about the methods; trainings of each: 2 of the 3" in text
    assert (
        f"| `adaptation/usps-mnistm/gta_source-0` | `stages/adaptation/dvc.yaml:gta_source@usps-mnistm-0` | {weights}"
        in text
    )
    chosen = "`usps-mnistm/variants/deep-0` | 0.6000 | `usps/variants/deep-0` | 0.6100 |"
    assert f"| usps → mnistm | 2 | {chosen}" in text
    assert "| scenario | candidates | `information` | `class_ami` |" in text
    assert "| svhn → usps | 3 |  |  |" in text and "| usps → mnistm | 12 | 0.88 | -0.25 |" in text
    assert "| usps → mnistm | 12 | 0.0123 | 0.0123 |" in text
    assert "is blank for fewer than 9 candidates" in text
    assert f"| `adaptation/usps-mnistm/dann-0` | `stages/adaptation/dvc.yaml:dann@usps-mnistm-0` | {weights}" in text
    stage = "`stages/adaptation/dvc.yaml:network@deep-usps-mnistm-0`"
    assert f"| `adaptation/usps-mnistm/variants/deep-0` | {stage} | 257,254 |" in text
    assert "| `adaptation/usps/variants/deep-0` | `stages/adaptation/dvc.yaml:baseline@deep-usps-0` | 257,254 |" in text
    assert "| usps → mnistm | Generate To Adapt | lenet | **0.4000 ± 0.0123** |" in text
    assert "| **0.4805** (002) |" in text
    assert "| mnistm → svhn | 2 | `mnistm-svhn/dann-0` | 0.6000 | `mnistm/supervised-0` | 0.6100 |" in text
    assert "| mnistm → svhn | `mnistm-svhn/dann-0` | 1.500 | 0.250 | 0.9000 | 0.6000 |" in text
    changed = "network lenet, lambda 1.0, gamma 10, update alternating, joint_batch True, information 0.0"
    changed += ", class_shares uniform"
    assert f"|  | alternating | {changed} | 257,254 | 0.5000 | 0.5500 |" in text
    assert (
        "the lowest accuracies are those of 0 (0.50) and 1 (0.50; 0.10 predicted as 0); 0 is predicted for 0.18" in text
    )
    assert "### Network lenet" in text and "| Conv2d 5x5 | 64 x 24 x 24 | 88 |" in text
    assert "| faces | a stand-in for data/faces | 1,234 + 1,234 |" in text
    assert "The data source here is `sample`, so their figures are not directly comparable." in text
    assert "- `alternating`: the domain classifier is trained first" in text and "- `deep-5`" not in text
    assert "- source-only, as Generate To Adapt: F and C of Generate To Adapt without G and D" in text
    # Every table is whole: no blank line between a header and its rows.
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| --- "):
            assert lines[number - 1].startswith("| ") and lines[number + 1].startswith("| "), line


def test_report_sets_every_gan_between_real_images_and_noise(full: Path) -> None:
    report.run(load())
    text = (full / "report/report.md").read_text()
    scored = "12.30 | 0.500 | 0.500 | 0.500 | 0.500 | 0.900 (0.850 to 0.940) | 0.500 |"
    assert f"| dcgan | 50.00 (48.00 to 52.00) | 51.00 | {scored}" in text
    assert f"| real | 10.00 (8.00 to 12.00) |  | {scored}" in text
    assert "| noise | 400.00 (" in text
    assert "so it is not an FID" in text
    # The trivial generator, and all rows in the space of faces.
    assert "| pca | 200.00 (" in text and "along its 319 principal components." in text
    assert "| dcgan | 0.500 (0.480 to 0.520) |  | 0.750 | 0.750 | 0.750 | 0.750 | 0.750 |" in text
    assert "recognition network, against 300 training images." in text
    assert (
        "report-000: no difference between dcgan-noisy-labels and dcgan is shown by 3 pairs of trainings: "
        "+0.50 (-0.50 to +1.50)." in text
    )
    assert (
        "report-001: wgan-gp has a higher distance than dcgan-k5, by 3 pairs of trainings: +9.00 (+8.00 to +10.00)."
        in text
    )
    assert "report-004: sngan has a lower distance than dcgan, by 3 pairs of trainings: -9.00" in text
    assert "| wgan-gp | 4,321 (18,855,040) | 4,321 (2,878,464) |" in text
    assert "| Conv2d 4x4 | 3 x 64 x 64 | 99 |" in text
    assert "| `gan/sngan-2` | `stages/gan/dvc.yaml:train@sngan-2` | 4,321 | `eeeeeeeeeeee` | `bbbbbbbbbbbb` |" in text


def test_report_without_the_space_of_faces(full: Path) -> None:
    for path in (full / "out").rglob("*.json"):
        if '"dlib_face"' in path.read_text():
            write_json(path, without_dlib_face(read_json(path)))
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert "dlib's recognition network" not in text and "Fréchet distance of faces" not in text


def without_dlib_face(values: Any) -> Any:
    """The scores of a study with `dlib_face_images: 0`: the protocol has null, and no row has the key."""
    if not isinstance(values, dict):
        return values
    return {
        key: None if key == "dlib_face" else without_dlib_face(value)
        for key, value in values.items()
        if key != "dlib_face" or "training" in value
    }


def test_report_sets_the_vae_beside_the_gans(full: Path) -> None:
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert "| validation (80) | 0.02123 | 0.00040 | 0.00531 | 0.02230 | 321.0 |" in text
    assert "| training (320) | 0.01010 | 0.00040 |" in text
    assert "| PCA, validation | 0.03450 | 0.00040 | 0.00531 |  |  |" in text
    assert "319 principal components of the training images, all that they have." in text
    assert "5,555 parameters (6,297,699 at width 1" in text
    assert "plus 1e-05 times the KL divergence in nats" in text and "the equivalent weight is 0.12288." in text
    assert "345 of 512 latent dimensions have a mean with a variance above 0.01" in text
    assert "predicts `person` from the latent means of training images with an accuracy of 0.9500 (0.9200 to" in text
    assert "Trained on all of them" not in text
    # One table with the VAE, every GAN, real images and noise.
    section = text[text.index("## 2. VAE") : text.index("## 3. ")].splitlines()
    start = next(number for number, line in enumerate(section) if line.startswith("| images of |"))
    table = [line.split(" | ")[0].removeprefix("| ") for line in section[start + 2 : start + 12]]
    gans = ["dcgan", "dcgan-noisy-labels", "dcgan-k5", "sngan", "wgan-gp"]
    assert table == ["vae", "vae-fitted-prior", *gans, "real", "pca", "noise"]
    assert section[start + 2].startswith("| vae | 333.00 (331.00 to 335.00) | 334.00 | 12.30 | 0.500 | 0.125 |")
    assert "| the faces of the GAN are more diverse | recall | 0.125 | 0.500 |" in text
    assert "|  | face score | 0.900 (0.850 to 0.940) | 0.900 (0.850 to 0.940) |" in text
    assert "![For comparison, dcgan: grid shows this.](pictures/out-gan-dcgan-0-samples-grid.webp)" in text
    assert "| `vae/vae-0` | `stages/vae/dvc.yaml:train@0` | 5,555 | `999999999999` | `888888888888` |" in text
    assert "openTSNE 7" in text


def test_report_says_what_the_probe_read_and_that_it_read_nothing(full: Path) -> None:
    make_vae(full, on_validation=True)
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert "its accuracy on 1,500 validation images is 0.8100 (0.9200 to 0.9700); always" in text
    assert "predicting the most frequent class gives 0.7700" in text
    make_vae(full, probe=False)
    report.run(load())
    assert "These faces have no attribute" in (full / "report/report.md").read_text()


def test_a_missing_vae_is_named(full: Path) -> None:
    for path in ("out/vae-summary/summary.json", "out/vae/vae-0-evaluation/scores.json"):
        (full / path).unlink()
        with pytest.raises(UserError, match=f"{path} is missing; `dvc repro` makes it"):
            report.run(load())
        make_vae(full)


def test_report_sets_ddim_over_eta_and_steps(full: Path) -> None:
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert "| ddim | 60.00 (58.00 to 62.00) | 61.00 | 12.30 |" in text
    assert "|  | 10 | 20 |\n| --- | --- | --- |\n| eta 0 | 90.00 (0.500) | 80.00 (0.500) |\n| eta 1 | 100.00" in text
    assert "The same number of real validation images has 12.50 (0.500)." in text
    assert "Here it does not hold everywhere: at 20 steps eta 1 is below eta 0." in text
    assert "latents falls to 78.0." in text
    assert "Report 003 states a mean squared error of 0.3 on 0..255" in text and "the course's limit is 20." in text
    assert "| 1,234,567 (78,700,803) | 0.1875, 1 2 4, 1 | 16 | 2 |" in text
    assert "| ResidualBlock | 24 x 32 x 32 | 77 |" in text
    assert "| `ddim/unet-0` | `stages/ddim/dvc.yaml:train@0` | 1,234,567 | `dddddddddddd` | `999999999999` |" in text


def test_report_sets_the_errors_to_the_courses_images(full: Path, set_params: Callable[[dict[str, Any]], None]) -> None:
    set_params({"gan.seeds": [0, 1, 2], "data.ddim": ["course"]})
    scores = {"clipped": {"mse": 0.3126, "images": {}}, "stretched": {"mse": 17.0, "images": {}}}
    write_json(full / "out/ddim/task-course/scores.json", {"scores": scores})
    make_figures(full / "out/ddim/task-course", ["beside.png"], "Stage `task@course`")
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert (
        "each image stretched to its range | report 003 |\n| --- | --- | --- | --- |\n| course | 0.31 | 17.00 | 0.3 |"
        in text
    )
    assert "beside shows this." in text and "`data.ddim: [course]`" not in text
    assert "course: 0.31 with values clipped" in (full / "report/report.html").read_text()


def test_report_sets_the_conditional_models_beside_the_reports(full: Path) -> None:
    report.run(load())
    text = (full / "report/report.md").read_text()
    assert "a separate digit\nclassifier with 72,345 parameters" in text
    assert "real validation images is 0.9750 (0.9550 to 0.9950).\nThe images are drawn by DDIM with eta " in text
    scored = "12.30 | 0.500 | 0.500 | 0.500 | 0.500 | 0.500 |"
    assert f"| context-unet | 4.0 | 0.9000 (0.8800 to 0.9200) | 80.00 (78.00 to 82.00) | {scored} 40 |" in text
    assert f"| real validation images |  | 0.9750 (0.9550 to 0.9950) | 9.00 (7.00 to 11.00) | {scored}  |" in text
    assert (
        "Other reports of the course state 0.998 to 0.999" in text
        and "here is `sample`, so the figures are not" in text
    )
    assert "| residual-unet | 0.60 (0.58 to 0.62) | 0.60" in text
    assert "| real validation images | 0.97 (0.95 to 0.99) |" in text or "| real validation images | 0.98 (" in text
    assert "| context-unet | 0.500, 70.00, 33 | 0.500, 70.00, 33 |" in text and "33 | 0.500, 70.00 |" in text
    assert "| attention-unet | 1,000: 0.25, 2,000: 0.75 |" in text
    assert "| context-unet | 65,432 | 0.0625 | every block | 2 | 400, 0.0001 to 0.02 |" in text
    assert "| report 004 | 33,293,187 | 1 | added in every block | 1 | 200 |" in text
    assert "| up1 | 16 x 14 x 14 | 77 | time, class |" in text
    assert (
        "| `diffusion/residual-unet-0` | `stages/diffusion/dvc.yaml:train@residual-unet-0` | 65,432 | `555555555555` |"
        in text
    )
    assert "| `evaluation/judge/0` | `stages/evaluation/dvc.yaml:judge@0` | 72,345 | `777777777777` |" in text


def test_what_params_do_not_imply_is_refused_and_what_is_missing_is_named(full: Path) -> None:
    write_json(full / "metrics/adaptation/old/dann.json", {})
    with pytest.raises(UserError, match="metrics/adaptation/old belongs to nothing in params.yaml; remove it"):
        report.run(load())
    shutil.rmtree(full / "metrics/adaptation/old")
    (full / "out/adaptation/svhn-usps-evaluation/confusion.png").unlink()
    with pytest.raises(
        UserError, match="out/adaptation/svhn-usps-evaluation/confusion.png is missing; `dvc repro` makes it"
    ):
        report.run(load())
    assert not (full / "report/report.html").exists()
    (full / "out/adaptation/svhn-usps-evaluation/summary.json").write_text("{")
    with pytest.raises(UserError, match="out/adaptation/svhn-usps-evaluation/summary.json is not JSON"):
        report.run(load())
