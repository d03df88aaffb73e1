//! Boxes of ISO/IEC 14496-12 and items of ISO/IEC 23008-12, as far as a still needs them.

use crate::{
    Error, Orientation,
    read::{be16, be32, byte, piece},
};
use std::{borrow::Cow, ops::Range};

/// Items and properties of one file; a still has a handful.
const ITEMS_MAX: usize = 64;
const PROPERTIES_MAX: usize = 256;
const EXTENTS_MAX: usize = 256;
/// Boxes within one, and entries of one table: so that reading takes no time, whatever a file of megabytes is made of.
const BOXES_MAX: usize = 1024;

/// A box: its kind, and where its content is.
pub(super) struct Boxed {
    pub kind: [u8; 4],
    pub content: Range<usize>,
}

/// The boxes in a part of the file.
pub(super) fn boxes(bytes: &[u8], within: Range<usize>) -> impl Iterator<Item = Result<Boxed, Error>> + '_ {
    let mut at = Some(within.start).filter(|_| within.end <= bytes.len());
    let mut left = BOXES_MAX;
    std::iter::from_fn(move || {
        let start = at.filter(|at| *at < within.end)?;
        let next = if left == 0 { Err(Error::malformed("it has too many boxes")) } else { boxed(&bytes[..within.end], start) };
        left = left.saturating_sub(1);
        at = next.as_ref().ok().map(|boxed| boxed.content.end);
        Some(next)
    })
}

fn boxed(bytes: &[u8], start: usize) -> Result<Boxed, Error> {
    let kind = be32(bytes, start + 4)?.to_be_bytes();
    let (header, length) = match be32(bytes, start)? {
        // To the end of the file.
        0 => (8, (bytes.len() - start) as u64),
        1 => (16, u64::from(be32(bytes, start + 8)?) << 32 | u64::from(be32(bytes, start + 12)?)),
        length => (8, u64::from(length)),
    };
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length)).filter(|end| *end <= bytes.len());
    let end = end.ok_or(Error::Truncated)?;
    if end < start + header {
        return Err(Error::malformed("a box is shorter than its length"));
    }
    Ok(Boxed { kind, content: start + header..end })
}

/// How colours are coded, by the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "avif"), expect(dead_code, reason = "only what decodes reads it"))]
pub(super) struct Nclx {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub is_full_range: bool,
}

/// A picture, or something about one.
pub(super) struct Item<'a> {
    pub id: u32,
    pub kind: [u8; 4],
    /// Where its bytes are.
    pub extents: Vec<Range<usize>>,
    pub size: (u32, u32),
    pub bits: u8,
    pub is_gray: bool,
    pub orientation: Orientation,
    pub profile: Option<&'a [u8]>,
    pub nclx: Option<Nclx>,
    /// Whether it is the alpha of another one.
    is_alpha: bool,
    /// What it belongs to.
    belongs_to: Vec<u32>,
}

/// The items of a file.
pub(super) struct Container<'a> {
    pub items: Vec<Item<'a>>,
    primary: u32,
}

impl<'a> Container<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let meta = find(bytes, 0..bytes.len(), b"meta")?.ok_or(Error::Unsupported { what: "AVIF without a still picture" })?;
        // A full box: version and flags come first.
        let meta = meta.start + 4..meta.end;
        let part = |kind| find(bytes, meta.clone(), kind);
        let required = |kind| part(kind)?.ok_or_else(|| Error::malformed("it does not say where its picture is"));
        let primary = required(b"pitm")?;
        let primary =
            if byte(bytes, primary.start)? == 0 { be16(bytes, primary.start + 4)?.into() } else { be32(bytes, primary.start + 4)? };
        let mut container = Self { items: items(bytes, required(b"iinf")?)?, primary };
        let data = part(b"idat")?.map_or(0, |data| data.start);
        container.locate(bytes, required(b"iloc")?, data)?;
        container.describe(bytes, required(b"iprp")?)?;
        if let Some(references) = part(b"iref")? {
            container.relate(bytes, references)?;
        }
        Ok(container)
    }

    pub fn primary(&self) -> Result<&Item<'a>, Error> {
        let primary = self.items.iter().find(|item| item.id == self.primary).ok_or_else(|| Error::malformed("it has no picture"))?;
        match &primary.kind {
            b"av01" => Ok(primary),
            _ => Err(Error::Unsupported { what: "AVIF of tiles" }),
        }
    }

    /// The alpha of the primary picture.
    pub fn alpha(&self) -> Option<&Item<'a>> {
        self.items.iter().find(|item| item.is_alpha && &item.kind == b"av01" && item.belongs_to.contains(&self.primary))
    }

    /// An item's bytes.
    pub fn payload<'b>(&self, bytes: &'b [u8], item: &Item<'_>) -> Result<Cow<'b, [u8]>, Error> {
        match item.extents.as_slice() {
            [] => Err(Error::malformed("its picture is nowhere")),
            [extent] => Ok(bytes[extent.clone()].into()),
            extents => {
                // Extents may overlap: together they are no more than the file.
                if extents.iter().map(Range::len).sum::<usize>() > bytes.len() {
                    return Err(Error::malformed("its picture is larger than the file"));
                }
                Ok(extents.iter().flat_map(|extent| bytes[extent.clone()].iter().copied()).collect())
            }
        }
    }

    fn item(&mut self, id: u32) -> Option<&mut Item<'a>> {
        self.items.iter_mut().find(|item| item.id == id)
    }

    /// Where items are (`iloc`).
    fn locate(&mut self, bytes: &[u8], within: Range<usize>, data: usize) -> Result<(), Error> {
        let mut reader = Reader { bytes: &bytes[..within.end], at: within.start };
        let version = reader.number(1)?;
        reader.number(3)?;
        let sizes = reader.number(2)?;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| (sizes >> shift & 15) as usize);
        let index = if version == 0 { 0 } else { index };
        let count = entries(reader.number(if version < 2 { 2 } else { 4 })?)?;
        for _ in 0..count {
            let id = reader.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 { 0 } else { reader.number(2)? & 15 };
            reader.number(2)?;
            let base = reader.number(base)?;
            for _ in 0..entries(reader.number(2)?)? {
                reader.number(index)?;
                let (offset, length) = (reader.number(offset)?, reader.number(length)?);
                let from = match method {
                    0 => 0,
                    1 => data as u64,
                    _ => return Err(Error::Unsupported { what: "AVIF of pieces of other items" }),
                };
                let start =
                    from.checked_add(base).and_then(|start| start.checked_add(offset)).and_then(|start| usize::try_from(start).ok());
                let start = start.ok_or(Error::Truncated)?;
                let length =
                    if length == 0 { bytes.len().saturating_sub(start) } else { usize::try_from(length).map_err(Error::malformed)? };
                let end = start + piece(bytes, start, length)?.len();
                let Some(item) = self.item(id) else { continue };
                if item.extents.len() == EXTENTS_MAX {
                    return Err(Error::malformed("it is in too many pieces"));
                }
                item.extents.push(start..end);
            }
        }
        Ok(())
    }

    /// What items are like (`iprp`: the properties, and whose they are).
    fn describe(&mut self, bytes: &'a [u8], within: Range<usize>) -> Result<(), Error> {
        let malformed = || Error::malformed("it does not say what its picture is like");
        let properties = find(bytes, within.clone(), b"ipco")?.ok_or_else(malformed)?;
        let properties = boxes(bytes, properties).take(PROPERTIES_MAX).collect::<Result<Vec<_>, _>>()?;
        let whose = find(bytes, within, b"ipma")?.ok_or_else(malformed)?;
        let mut reader = Reader { bytes: &bytes[..whose.end], at: whose.start };
        let (version, flags) = (reader.number(1)?, reader.number(3)?);
        for _ in 0..entries(reader.number(4)?)? {
            let id = reader.number(if version == 0 { 2 } else { 4 })? as u32;
            for _ in 0..reader.number(1)? {
                let (index, is_wide) = (reader.number(if flags & 1 == 0 { 1 } else { 2 })?, flags & 1 == 1);
                let index = (index & if is_wide { 0x7FFF } else { 0x7F }) as usize;
                let property = index.checked_sub(1).and_then(|index| properties.get(index));
                if let (Some(property), Some(item)) = (property, self.item(id)) {
                    item.describe(bytes, property)?;
                }
            }
        }
        Ok(())
    }

    /// What belongs to what (`iref`).
    fn relate(&mut self, bytes: &[u8], within: Range<usize>) -> Result<(), Error> {
        let width = if byte(bytes, within.start)? == 0 { 2 } else { 4 };
        for reference in boxes(bytes, within.start + 4..within.end) {
            let reference = reference?;
            let mut reader = Reader { bytes: &bytes[..reference.content.end], at: reference.content.start };
            let from = reader.number(width)? as u32;
            let count = entries(reader.number(2)?)?;
            let to = (0..count).map(|_| reader.number(width).map(|id| id as u32)).collect::<Result<Vec<_>, _>>()?;
            if let Some(item) = self.item(from).filter(|_| &reference.kind == b"auxl") {
                item.belongs_to = to;
            }
        }
        Ok(())
    }
}

impl<'a> Item<'a> {
    fn describe(&mut self, bytes: &'a [u8], property: &Boxed) -> Result<(), Error> {
        let content = &bytes[property.content.clone()];
        match &property.kind {
            b"ispe" => self.size = (be32(content, 4)?, be32(content, 8)?),
            b"av1C" => {
                let flags = byte(content, 2)?;
                self.bits = match flags & 0x60 {
                    0x60 => 12,
                    0x40 => 10,
                    _ => 8,
                };
                self.is_gray = flags & 0x10 != 0;
            }
            b"irot" => self.orientation = rotated(byte(content, 0)?),
            b"imir" => self.orientation = mirrored(self.orientation, byte(content, 0)?),
            b"auxC" => {
                self.is_alpha = content.get(4..).is_some_and(|name| name.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"))
            }
            b"colr" => match piece(content, 0, 4)? {
                b"prof" | b"rICC" => self.profile = content.get(4..),
                b"nclx" => {
                    let [primaries, transfer, matrix] =
                        [be16(content, 4)?, be16(content, 6)?, be16(content, 8)?].map(|number| number.min(255) as u8);
                    self.nclx = Some(Nclx { primaries, transfer, matrix, is_full_range: byte(content, 10)? & 0x80 != 0 });
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// By quarters of a turn against the clock.
const fn rotated(angle: u8) -> Orientation {
    Orientation::from_exif(match angle & 3 {
        0 => 1,
        1 => 8,
        2 => 3,
        _ => 6,
    })
}

/// Exchanged afterwards: top and bottom (axis 0), or left and right.
const fn mirrored(rotated: Orientation, axis: u8) -> Orientation {
    Orientation::from_exif(match (rotated.exif(), axis & 1) {
        (1, 0) | (3, 1) => 4,
        (1, _) | (3, _) => 2,
        (8, 0) | (6, 1) => 5,
        (8, _) | (6, _) => 7,
        (other, _) => other,
    })
}

/// The items there are (`iinf`).
fn items<'a>(bytes: &[u8], within: Range<usize>) -> Result<Vec<Item<'a>>, Error> {
    let count = if byte(bytes, within.start)? == 0 { 2 } else { 4 };
    let mut items = Vec::new();
    for entry in boxes(bytes, within.start + 4 + count..within.end) {
        let entry = entry?;
        let content = &bytes[entry.content];
        let (id, kind) = match byte(content, 0)? {
            2 => (be16(content, 4)?.into(), be32(content, 8)?),
            3 => (be32(content, 4)?, be32(content, 10)?),
            _ => continue,
        };
        if items.len() == ITEMS_MAX {
            return Err(Error::Unsupported { what: "AVIF of so many items" });
        }
        items.push(Item {
            id,
            kind: kind.to_be_bytes(),
            extents: Vec::new(),
            size: (0, 0),
            bits: 8,
            is_gray: false,
            orientation: Orientation::UPRIGHT,
            profile: None,
            nclx: None,
            is_alpha: false,
            belongs_to: Vec::new(),
        });
    }
    Ok(items)
}

/// The content of the first box of a kind.
pub(super) fn find(bytes: &[u8], within: Range<usize>, kind: &[u8; 4]) -> Result<Option<Range<usize>>, Error> {
    for boxed in boxes(bytes, within) {
        let boxed = boxed?;
        if &boxed.kind == kind {
            return Ok(Some(boxed.content));
        }
    }
    Ok(None)
}

/// The number of a table's entries.
fn entries(number: u64) -> Result<u64, Error> {
    if number > BOXES_MAX as u64 { Err(Error::malformed("it has too many entries")) } else { Ok(number) }
}

/// Numbers one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Of 0 to 8 bytes.
    fn number(&mut self, length: usize) -> Result<u64, Error> {
        let digits = piece(self.bytes, self.at, length)?;
        self.at += length;
        Ok(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_and_mirrors_are_those_of_exif() {
        // As libavif maps the eight ways.
        let ways =
            [(1, 0, None), (2, 0, Some(1)), (3, 2, None), (4, 0, Some(0)), (5, 1, Some(0)), (6, 3, None), (7, 3, Some(0)), (8, 1, None)];
        for (exif, angle, axis) in ways {
            let orientation = rotated(angle);
            let orientation = axis.map_or(orientation, |axis| mirrored(orientation, axis));
            assert_eq!(orientation.exif(), exif);
        }
    }

    #[test]
    fn a_box_ends_within_what_it_is_in() {
        let bytes = b"\0\0\0\x0Cfree1234\0\0\0\x09meta5\0\0\0\0mdat67";
        let found: Vec<_> =
            boxes(bytes, 0..bytes.len()).map(|boxed| boxed.expect("a box")).map(|boxed| (boxed.kind, boxed.content)).collect();
        assert_eq!(found, [(*b"free", 8..12), (*b"meta", 20..21), (*b"mdat", 29..31)]);
        assert_eq!(boxes(bytes, 0..15).last().map(|last| last.err()), Some(Some(Error::Truncated)));
        for bad in [b"\0\0\0\x07free".as_slice(), b"\0\0\0\x01free\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", b"\0\0\0\x01free\0\0\0\0\0\0\0\x0F"] {
            assert!(boxes(bad, 0..bad.len()).all(|boxed| boxed.is_err()));
        }
    }
}
