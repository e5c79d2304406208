"""The page of `dvc plots show` and `dvc plots diff`, which requests nothing from a network."""

from __future__ import annotations

from pathlib import Path

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing

VEGA_LITE = "5.20"
PAGE = Path(".dvc/plots.html")  # named in .dvc/config.local by `make setup`
# DVC puts its own scripts, from a network, in place of {scripts}, which this page leaves out.
HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Plots</title>
<style>
body { margin: 1rem; font: 15px system-ui, sans-serif; }
table { border-spacing: 12px; } td { vertical-align: top; } img { max-width: 46vw; height: auto; }
</style>
<script>SCRIPT</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def write() -> Path:
    """Write the page.

    Returns:
        Its path.

    Raises:
        UserError: there is no DVC repository here. A new `.dvc` would make one out of any folder.
    """
    import vl_convert

    if not PAGE.parent.is_dir():
        raise UserError(f"there is no {PAGE.parent} here; run dlcv in the root of the repository")
    # Vega, Vega-Lite and Vega-Embed as one script.
    script: str = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]
    with replacing(PAGE) as temporary:
        temporary.write_text(HTML.replace("SCRIPT", script.replace("</script", "<\\/script")), encoding="utf-8")
    return PAGE
