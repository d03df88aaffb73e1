"""HTML by construction: whatever is text is escaped where it is put in, so no name that a result carries becomes markup.

Pages are well-formed XML as well as HTML, so that a test can read them with any parser.
"""

import html
import re

# What XML 1.0 cannot carry, not even escaped.
UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
VOID = {"meta", "br", "hr", "wbr", "col"}


class Markup(str):
    """Text that is markup already."""


def text(value):
    """A value as text of a page."""
    return value if isinstance(value, Markup) else Markup(html.escape(UNSPEAKABLE.sub("\ufffd", str(value)), quote=True))


def join(*parts):
    """Parts of a page in their order; `None` is nothing."""
    flat = []
    for part in parts:
        if isinstance(part, (list, tuple)):
            flat.append(join(*part))
        elif part is not None:
            flat.append(text(part))
    return Markup("".join(flat))


def tag(tag_name, *parts, **attributes):
    """An element. An attribute that is `None` is left out; `class_` is `class`, and `stroke_width` is `stroke-width`."""
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items() if value is not None)
    inside = join(*parts)
    if tag_name in VOID:
        return Markup(f"<{tag_name}{written} />")
    return Markup(f"<{tag_name}{written}>{inside}</{tag_name}>")


def raw(tag_name, content, **attributes):
    """An element whose content a browser takes as it stands (`style`, `script`): ours, never a result's."""
    if "]]>" in content or "</" in content:
        raise ValueError(f"this content would end its <{tag_name}>")
    head = "".join(f' {name}="{text(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag_name}{head}>{content}</{tag_name}>")


def table(heads, rows, caption=None, words=1):
    """A table in a box that scrolls by itself. The first `words` columns are words, the others are figures."""
    def cell(kind, number, value):
        return tag(kind, value, class_=None if number < words else "figure", scope="col" if kind == "th" else None)

    head = tag("thead", tag("tr", *(cell("th", number, value) for number, value in enumerate(heads))))
    body = tag("tbody", *(tag("tr", *(cell("td", number, value) for number, value in enumerate(row))) for row in rows))
    # Who has only a keyboard scrolls it, too.
    return tag("div", tag("table", caption and tag("caption", caption), head, body), class_="scrolls", tabindex="0", role="region", aria_label=caption or "table")


def details(summary, *parts):
    return tag("details", tag("summary", summary), *parts)


def paragraph(*parts, class_=None):
    return tag("p", *parts, class_=class_)


def code(value):
    """A command to repeat."""
    return tag("pre", tag("code", value), tabindex="0")
