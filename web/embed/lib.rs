//! The front-end's files, as they were built for this binary (`build.rs`). Who serves them is `edge`'s business.

/// A file of the site.
pub struct Asset {
    /// Its address, from the site's root.
    pub path: &'static str,
    /// What it is, as `Content-Type` says it.
    pub media_type: &'static str,
    /// All of it.
    pub bytes: &'static [u8],
    /// The same by brotli, where that is worth it.
    pub brotli: Option<&'static [u8]>,
    /// The same by gzip, where that is worth it.
    pub gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/site.rs"));

impl Asset {
    /// Whether the address never stands for other bytes: Vite puts a hash of them into each name there.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("/assets/")
    }
}

/// The file at an address.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|index| &ASSETS[index])
}

/// The page that every screen begins with. Without a front-end, one that says why there is none.
#[must_use]
pub fn page() -> &'static Asset {
    find("/index.html").expect("the build writes one, whatever happens")
}

/// Whether an address is one of a screen, so that a link to it leads somewhere.
#[must_use]
pub fn is_screen(path: &str) -> bool {
    SCREENS.iter().any(|screen| {
        let (mut words, mut named) = (path.split('/'), screen.split('/'));
        let fits =
            named.by_ref().all(|name| words.next().is_some_and(|word| if name.starts_with(':') { !word.is_empty() } else { word == name }));
        fits && words.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_address_and_nothing_else_is() {
        for asset in ASSETS {
            assert_eq!(find(asset.path).map(|found| found.path), Some(asset.path));
        }
        for path in ["", "/", "/index", "/assets", "/assets/", "/../Cargo.toml", "/manifest.json", "/.vite/manifest.json", "/index.html.br"]
        {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn screens_are_told_from_what_is_none() {
        for path in ["/", "/people", "/people/1", "/people/1/followers", "/shop/new", "/media"] {
            assert!(is_screen(path), "{path}");
        }
        for path in ["", "/peoples", "/people/", "/people/1/followers/2", "//", "/api", "/tree", "/docs", "/*"] {
            assert!(!is_screen(path), "{path}");
        }
    }

    #[test]
    fn compressed_forms_are_smaller() {
        for asset in ASSETS {
            for form in [asset.brotli, asset.gzip].into_iter().flatten() {
                assert!(form.len() < asset.bytes.len(), "{}", asset.path);
            }
        }
    }
}
