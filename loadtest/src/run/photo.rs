//! Pictures to upload, and how they are sent.

use http::Method;

use crate::api::{Account, path};
use crate::http::Request;

/// Photos of different sizes, with EXIF and without (their origin: images/tests/corpus/LICENSES.txt).
pub const PHOTOS: [&[u8]; 3] = [
    include_bytes!("../../../images/tests/corpus/exif1_small.jpg"),
    include_bytes!("../../../images/tests/corpus/exif6_small.jpg"),
    include_bytes!("../../../images/tests/corpus/rocket_444_icc.jpg"),
];

const BOUNDARY: &str = "between-two-parts";

/// The upload of a picture that everybody may see.
pub fn upload(account: &Account, photo: &[u8]) -> Request {
    let part = |name: &str| format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"");
    let mut body = format!("{}\r\n\r\npublic\r\n", part("visibility")).into_bytes();
    body.extend(format!("{}; filename=\"photo.jpg\"\r\ncontent-type: image/jpeg\r\n\r\n", part("file")).into_bytes());
    body.extend(photo);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    Request::new(Method::POST, path::UPLOAD).bearer(&account.token).body(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
}
