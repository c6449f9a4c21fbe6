"""CSS for the viewer's page: a timeline as wide as the panel, and a page made for phones.

viser has no settings for these. Where a later viser names things otherwise, the page only looks as
viser makes it.
"""

from __future__ import annotations

_PANEL = ".mantine-Paper-root:has([role=slider])"

STYLE = f"""<style>
.mantine-Flex-root:has(> * > .mantine-Flex-root > .mantine-Slider-root) > :first-child {{
  display: none;
}}
@media (max-width: 36em) {{
  {_PANEL} {{ width: 100% !important; max-height: 50% !important; }}
  {_PANEL} [style*="width: 20em"] {{ width: 100% !important; }}
  /* The icon is there while the panel is open. */
  #root div:has(~ .mantine-Paper-root .mantine-ActionIcon-root) {{
    height: 50% !important;
    align-self: flex-start;
  }}
}}
</style>"""
