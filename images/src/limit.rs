//! What an upload may ask of us, in one place: judged by its headers, before anything is decoded.

use crate::Error;

/// Bounds what one image can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file.
    pub bytes_max: u64,
    /// Width times height, of the canvas and of the first frame.
    pub pixels_max: u64,
    /// Width, and height. WebP has no more than 16 383.
    pub side_max: u32,
    /// Frames of an animation. Only the first is decoded, so this bounds what is counted and what clients would be made to play.
    pub frames_max: u32,
    /// Passes over the picture in a progressive JPEG. Ten are usual; each is paid for over all pixels, however few bytes it has.
    pub scans_max: u32,
    /// Size of an embedded colour profile. Those of printing presses have up to three megabytes.
    pub profile_bytes_max: usize,
    /// Memory at the peak, by [`crate::Inspected::memory_bytes`] for WebP. By default, what 50 megapixels of usual kinds cost.
    pub memory_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 50 << 20,
            pixels_max: 50_000_000,
            side_max: 16_383,
            frames_max: 1_000,
            scans_max: 64,
            profile_bytes_max: 4 << 20,
            memory_bytes_max: 1 << 30,
        }
    }
}

/// What an image has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// [`Limits::bytes_max`].
    Bytes,
    /// [`Limits::pixels_max`].
    Pixels,
    /// [`Limits::side_max`].
    Side,
    /// [`Limits::frames_max`].
    Frames,
    /// [`Limits::scans_max`].
    Scans,
    /// [`Limits::profile_bytes_max`].
    ProfileBytes,
    /// [`Limits::memory_bytes_max`].
    MemoryBytes,
}

impl Measure {
    /// What it counts, for people.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Pixels => "pixels",
            Self::Side => "pixels a side",
            Self::Frames => "frames",
            Self::Scans => "progressive scans",
            Self::ProfileBytes => "bytes of colour profile",
            Self::MemoryBytes => "bytes of memory to decode",
        }
    }
}

impl Limits {
    /// Whether there may be so many.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the limit.
    pub(crate) fn check(&self, measure: Measure, found: u64) -> Result<(), Error> {
        let max = match measure {
            Measure::Bytes => self.bytes_max,
            Measure::Pixels => self.pixels_max,
            Measure::Side => self.side_max.into(),
            Measure::Frames => self.frames_max.into(),
            Measure::Scans => self.scans_max.into(),
            Measure::ProfileBytes => self.profile_bytes_max as u64,
            Measure::MemoryBytes => self.memory_bytes_max,
        };
        if found > max { Err(Error::TooLarge { measure, found, max }) } else { Ok(()) }
    }

    /// Whether a colour profile may be so long. Asked before it is copied out of the file.
    pub(crate) fn check_profile(&self, bytes: usize) -> Result<(), Error> {
        self.check(Measure::ProfileBytes, bytes as u64)
    }

    /// Whether a canvas may have these sides.
    pub(crate) fn check_canvas(&self, width: u32, height: u32) -> Result<(), Error> {
        if width == 0 || height == 0 {
            return Err(Error::malformed("it has no pixels"));
        }
        self.check(Measure::Pixels, u64::from(width) * u64::from(height))?;
        self.check(Measure::Side, width.max(height).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canvas_is_bounded_by_area_and_by_side() {
        let limits = Limits { pixels_max: 100, side_max: 50, ..Limits::default() };
        assert_eq!(limits.check_canvas(10, 10), Ok(()));
        assert_eq!(limits.check_canvas(2, 50), Ok(()));
        assert_eq!(limits.check_canvas(11, 10), Err(Error::TooLarge { measure: Measure::Pixels, found: 110, max: 100 }));
        assert_eq!(limits.check_canvas(51, 1), Err(Error::TooLarge { measure: Measure::Side, found: 51, max: 50 }));
        assert!(matches!(limits.check_canvas(0, 1), Err(Error::Malformed { .. })));
        // No overflow at the largest sides that any format can state.
        assert!(matches!(limits.check_canvas(u32::MAX, u32::MAX), Err(Error::TooLarge { .. })));
    }
}
