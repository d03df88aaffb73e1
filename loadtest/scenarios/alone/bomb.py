"""Small files that would be large, and forms that are none: made here, from nothing, by name."""

import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).resolve().parents[3] / "images/tests/corpus"
BOUNDARY = "a-boundary"
MIB = 1 << 20
# The most that a PNG, a GIF or a JPEG can say of a side.
SIDE_MAX = 65_535
# More frames than an image may have (docs/limits.md).
FRAMES = 1200


def form(parts, ends=True, boundary=BOUNDARY):
    """Headers and body of multipart/form-data; each part is a name, a file's name or None, and its content."""
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename else ""
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
    return {"content_type": f"multipart/form-data; boundary={boundary}"}, body + (f"--{BOUNDARY}--\r\n".encode() if ends else b"")


def zeros(octets):
    """So many of them, deflated: a thousandth of that."""
    squeeze, made, block = zlib.compressobj(9), [], bytes(MIB)
    for _ in range(octets // MIB):
        made.append(squeeze.compress(block))
    return b"".join([*made, squeeze.compress(bytes(octets % MIB)), squeeze.flush()])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, deflated, depth=1, colour=0, before=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", deflated) + chunk(b"IEND", b"")


def lzw_of_one_colour(pixels):
    """GIF's compression of so many pixels of colour 0: each code stands for a run that is one longer than the last, until the table is full and begins again."""
    clear, end, first = 4, 5, 6
    codes, width = [], 3
    while pixels:
        codes += [(clear, width), (0, 3)]
        pixels, code = pixels - 1, first
        while pixels and code < 4096:
            width, run = code.bit_length(), min(code - first + 2, pixels)
            codes.append((first - 2 + run if run > 1 else 0, width))
            pixels, code = pixels - run, code + 1
    return packed([*codes, (end, min(12, code.bit_length()))])


def packed(codes):
    """Codes of so many bits each, the lowest first."""
    octets, held, bits = bytearray(), 0, 0
    for code, width in codes:
        held |= code << bits
        bits += width
        while bits >= 8:
            octets.append(held & 255)
            held, bits = held >> 8, bits - 8
    return bytes(octets) + (bytes([held]) if bits else b"")


def gif(width, height, frames, frame_side):
    """So many frames of one colour on a canvas."""
    coded = lzw_of_one_colour(frame_side * frame_side)
    blocks = b"".join(bytes([len(coded[at:at + 255])]) + coded[at:at + 255] for at in range(0, len(coded), 255)) + b"\0"
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, frame_side, frame_side, 0) + b"\x02" + blocks
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b"\x3b"


def jpeg_that_says(width, height):
    """A photo of the corpus, which says another size."""
    photo = bytearray((CORPUS / "progressive_444.jpg").read_bytes())
    at = next(at for at in range(len(photo)) if photo[at] == 0xFF and photo[at + 1] in (0xC0, 0xC2))
    photo[at + 5:at + 9] = struct.pack(">HH", height, width)
    return bytes(photo)


def jpeg_with_a_profile(pieces):
    """A photo of the corpus, with so many pieces of a colour profile, 64 KiB each."""
    photo = (CORPUS / "exif1_small.jpg").read_bytes()
    profile = b"".join(b"\xff\xe2\xff\xffICC_PROFILE\0" + bytes([at + 1, pieces]) + bytes(65_519) for at in range(pieces))
    return photo[:2] + profile + photo[2:]


def webp_that_says(width, height):
    """An extended WebP with nothing but a canvas."""
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas


def images():
    """Files that are no images, or that would be too large: by what is wrong with them."""
    text = chunk(b"zTXt", b"Comment\0\0" + zeros(256 * MIB))
    icc = chunk(b"iCCP", b"profile\0\0" + zeros(64 * MIB))
    row = zeros(100 * 101)
    return {
        "a PNG of 65,535 × 65,535": png(SIDE_MAX, SIDE_MAX, zeros((SIDE_MAX // 8 + 2) * SIDE_MAX)),
        "a PNG of 40,000 × 40,000": (CORPUS / "bomb_40000.png").read_bytes(),
        "a PNG of 0 × 0": png(0, 0, row),
        "a PNG that is cut off": png(100, 100, row, 8)[:70],
        "a PNG without pixels": png(100, 100, b"", 8),
        "a PNG whose pixels are garbage": png(100, 100, b"garbage" * 99, 8),
        "a PNG with a text of 256 MiB and no pixels": png(100, 100, b"", 8, before=text),
        "a PNG with a colour profile of 64 MiB": png(100, 100, row, 8, before=icc),
        "a JPEG with a colour profile of 5 MiB": jpeg_with_a_profile(80),
        "a GIF of 65,535 × 65,535": gif(SIDE_MAX, SIDE_MAX, 1, 16),
        "a GIF of 65,535 × 65,535 with 1200 frames": gif(SIDE_MAX, SIDE_MAX, FRAMES, 16),
        "a GIF with 1200 frames of 2000 × 2000": gif(2000, 2000, FRAMES, 2000),
        "a GIF that is cut off": gif(100, 100, 1, 100)[:20],
        "a JPEG of 65,500 × 65,500": jpeg_that_says(65_500, 65_500),
        "a JPEG that is its head only": (CORPUS / "progressive_444.jpg").read_bytes()[:200],
        "a WebP of 16,384 × 16,384": webp_that_says(16_384, 16_384),
        "an AVIF that is cut off": (CORPUS / "1MP.avif").read_bytes()[:300],
    }


def forms():
    """Forms that are none, by what is wrong with them: headers and body."""
    note = ("file", "note.txt", b"hello")
    return {
        "no boundary": ({"content_type": "multipart/form-data"}, form([note])[1]),
        "another boundary": form([note], boundary="another"),
        "no end": form([note], ends=False),
        "no file": form([("visibility", None, b"public")]),
        "two files": form([note, note]),
        "a field that nobody asked for": form([note, ("role", None, b"admin")]),
        "a visibility that there is not": form([note, ("visibility", None, b"everyone")]),
        "a field of 64 KiB": form([note, ("visibility", None, b"p" * 65_536)]),
        "a part's head of 128 KiB": form([("file", "n" * 131_072, b"hello")]),
        "a part's head of 40 MiB": form([("file", "n" * 40 * MIB, b"hello")]),
        "40 MiB before its first part": ({"content_type": f"multipart/form-data; boundary={BOUNDARY}"}, b"x" * 40 * MIB),
        "5000 parts": form([("visibility", None, b"public")] * 5000),
        "garbage": ({"content_type": f"multipart/form-data; boundary={BOUNDARY}"}, bytes(range(256)) * 64),
        "nothing": ({"content_type": f"multipart/form-data; boundary={BOUNDARY}"}, b""),
        "JSON": ({"content_type": "application/json"}, b"{}"),
    }
