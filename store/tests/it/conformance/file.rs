//! Files, and the content that is kept for them.

use crate::make::*;
use protocol::file::{Colour, ContentHash, File, Metadata, Quota, Rendered, SHARERS_MAX, Status, Usage, Visibility};
use protocol::moderation::Verdict;
use protocol::{MediaId, Timestamp, UserId};
use store::{CommitError, Ids, MediaWrite, Stores};

/// Keeps a file, as an upload does.
async fn keep(stores: &Stores, file: &File) {
    let folder = stores.media.hold(file.content_hash, NOW).await.expect("held");
    stores.media.commit(filing(file, |file| MediaWrite::CreateFile(file, folder, Quota::NONE))).await.expect("kept");
}

async fn remove(stores: &Stores, file: &File) {
    let removed = File { version: file.version + 1, ..file.clone() };
    stores.media.commit(filing(&removed, MediaWrite::RemoveFile)).await.expect("removed");
}

pub async fn a_file_is_read_as_written(stores: Stores) {
    let bare = file(UserId::new(), content(1));
    let full = File {
        original_name: Some("Strand \u{1f3d6}.JPG".to_owned()),
        visibility: Visibility::Private,
        status: Status::Failed,
        failure: Some("the image is cut off".to_owned()),
        blur_placeholder: Some("data:image/webp;base64,AA==".to_owned()),
        dominant_color: Some(Colour { r: 1, g: 200, b: 255 }),
        metadata: Some(Metadata { width: 4000, height: 3000, format: "jpeg".to_owned() }),
        rendered: Rendered::Sizes,
        attempts: 2,
        ..file(UserId::new(), content(2))
    };
    for file in [bare, full] {
        keep(&stores, &file).await;
        assert_eq!(stores.media.file(file.id).await.expect("a read"), Some(file.clone()));
        let folder = stores.media.folder(file.content_hash.id()).await.expect("a read").expect("a folder");
        let again = stores.media.commit(filing(&file, |file| MediaWrite::CreateFile(file, folder, Quota::NONE))).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");
        remove(&stores, &file).await;
        assert_eq!(stores.media.file(file.id).await.expect("a read"), None);
    }
}

pub async fn a_file_is_saved_version_by_version(stores: Stores) {
    let first = file(UserId::new(), content(1));
    keep(&stores, &first).await;
    let next = File {
        visibility: Visibility::Private,
        status: Status::Ready,
        rendered: Rendered::Smaller,
        blur_placeholder: Some("data:".to_owned()),
        dominant_color: Some(Colour { r: 0, g: 0, b: 0 }),
        updated_at: NOW.plus_ms(5),
        version: 2,
        ..first
    };
    let save = || stores.media.commit(filing(&next, MediaWrite::SaveFile));
    assert_eq!(save().await.expect("saved").version, 2);
    assert!(matches!(save().await, Err(CommitError::Conflict)));
    assert_eq!(stores.media.file(next.id).await.expect("a read"), Some(next.clone()));
    let stale = stores.media.commit(filing(&next, MediaWrite::RemoveFile)).await;
    assert!(matches!(stale, Err(CommitError::Conflict)), "{stale:?}");
}

pub async fn files_are_listed_newest_first(stores: Stores) {
    let user = UserId::new();
    let mut files = Vec::new();
    for number in 0..7 {
        let status = if number == 3 { Status::Pending } else { Status::Ready };
        let visibility = if number == 5 { Visibility::Private } else { Visibility::Public };
        let file = File { status, visibility, ..file(if number == 1 { UserId::new() } else { user }, content(number)) };
        keep(&stores, &file).await;
        files.push(file);
    }
    let ids = |numbers: &[usize]| numbers.iter().map(|number| files[*number].id.0).collect::<Vec<_>>();
    for limit in [1, 2, 100] {
        let public = walk(limit, async |page| {
            let Ids { ids, next } = stores.media.public_files(page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(public.await, ids(&[6, 4, 2, 1, 0]));
        let own = walk(limit, async |page| {
            let Ids { ids, next } = stores.media.files_of(user, page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(own.await, ids(&[6, 5, 4, 3, 2, 0]));
    }
    assert_eq!(stores.media.pending_files(None, 10).await.expect("a read"), [files[3].id]);
    assert_eq!(stores.media.pending_files(Some(files[3].id), 10).await.expect("a read"), [] as [MediaId; 0]);
}

pub async fn content_is_kept_as_long_as_a_file_has_it(stores: Stores) {
    let hash = content(1);
    let (later, much_later) = (NOW.plus_ms(1), NOW.plus_ms(1000));
    let (one, other) = (file(UserId::new(), hash), file(UserId::new(), hash));
    keep(&stores, &one).await;
    let folder = stores.media.hold(hash, NOW).await.expect("held");
    assert_eq!(stores.media.folder(hash.id()).await.expect("a read"), Some(folder), "the same content is in one folder");
    keep(&stores, &other).await;
    remove(&stores, &one).await;
    assert_eq!(stores.media.condemn(much_later, 10).await.expect("done"), 0, "a file has it");
    remove(&stores, &other).await;
    assert_eq!(stores.media.condemn(NOW, 10).await.expect("done"), 0, "somebody may be about to use it");
    assert_eq!(stores.media.condemn(later, 10).await.expect("done"), 1);
    assert_eq!(stores.media.condemned(10).await.expect("a read"), [(hash, folder)]);
    assert_eq!(stores.media.folder(hash.id()).await.expect("a read"), None);

    // Whoever was about to use it is told, and the same content comes back in another folder.
    let late = file(UserId::new(), hash);
    let refused = stores.media.commit(filing(&late, |file| MediaWrite::CreateFile(file, folder, Quota::NONE))).await;
    assert!(matches!(refused, Err(CommitError::Missing("content"))), "{refused:?}");
    keep(&stores, &late).await;
    assert_ne!(stores.media.folder(hash.id()).await.expect("a read"), Some(folder));
    let refused = stores.media.commit(filing(&file(UserId::new(), hash), |file| MediaWrite::CreateFile(file, folder, Quota::NONE))).await;
    assert!(matches!(refused, Err(CommitError::Missing("content"))), "{refused:?}");
    stores.media.forget_folder(folder).await.expect("forgotten");
    assert_eq!(stores.media.condemned(10).await.expect("a read"), []);
    assert_eq!(stores.media.condemn(much_later, 10).await.expect("done"), 0);
}

/// What showed a content to everybody and does not any more, however that came about, is due to be forgotten by caches: at once, and once more.
pub async fn what_is_not_for_everybody_any_more_is_to_be_forgotten(stores: Stores) {
    let media = &stores.media;
    let user = UserId::new();
    let [gone, closed, kept, private] = [1, 2, 3, 4].map(|number| file(user, content(number)));
    let private = File { visibility: Visibility::Private, ..private };
    for file in [&gone, &closed, &kept, &private] {
        keep(&stores, file).await;
    }
    // Triggers note the time of the database's machine.
    let (now, again_at) = (Timestamp::now().plus_ms(60_000), Timestamp::now().plus_ms(120_000));
    assert_eq!(media.purges(now, 10).await.expect("a read"), []);
    remove(&stores, &gone).await;
    remove(&stores, &private).await;
    let next = File { visibility: Visibility::Private, version: 2, ..closed.clone() };
    media.commit(filing(&next, MediaWrite::SaveFile)).await.expect("saved");
    let due = media.purges(now, 10).await.expect("a read");
    let hashes: Vec<_> = due.iter().map(|purge| (purge.hash, purge.is_last)).collect();
    assert_eq!(hashes, [(gone.content_hash, false), (closed.content_hash, false)], "what nobody but its owner saw is in no cache");
    assert_eq!(media.purges(now, 1).await.expect("a read").len(), 1);

    for purge in due {
        media.purged(purge, again_at).await.expect("noted");
        media.purged(purge, again_at).await.expect("noted twice, which is once");
    }
    assert_eq!(media.purges(now, 10).await.expect("a read"), []);
    let again = media.purges(again_at, 10).await.expect("a read");
    assert!(again.len() == 2 && again.iter().all(|purge| purge.is_last && purge.due_at == again_at), "{again:?}");
    // One becomes due anew before it was told again: that it was told then says nothing of now.
    let open = File { visibility: Visibility::Public, version: 3, ..closed.clone() };
    media.commit(filing(&open, MediaWrite::SaveFile)).await.expect("saved");
    let failed = File { status: Status::Failed, version: 4, ..open };
    media.commit(filing(&failed, MediaWrite::SaveFile)).await.expect("saved");
    for purge in again {
        media.purged(purge, again_at).await.expect("noted");
    }
    let left = media.purges(again_at, 10).await.expect("a read");
    assert!(matches!(&left[..], [purge] if purge.hash == closed.content_hash && !purge.is_last), "{left:?}");
    media.purged(left[0], again_at.plus_ms(1)).await.expect("noted");

    media.purge_of(user, now).await.expect("noted");
    let all = media.purges(now, 10).await.expect("a read");
    let mut hashes: Vec<_> = all.iter().map(|purge| purge.hash.0).collect();
    hashes.sort_unstable();
    assert_eq!(hashes, [closed.content_hash.0, kept.content_hash.0], "what a person shows to everybody");
}

/// Two at once do not come above it together, which each of them alone would not.
pub async fn nobody_stores_more_than_they_may(stores: Stores) {
    let (ada, bob) = (UserId::new(), UserId::new());
    let usage = async |user| stores.media.usage(user).await.expect("a read");
    assert_eq!(usage(ada).await, Usage::default());
    let first = File { size: 400, ..file(ada, content(0)) };
    keep(&stores, &first).await;
    keep(&stores, &file(bob, content(0))).await;
    assert_eq!((usage(ada).await, usage(bob).await), (Usage { files: 1, bytes: 400 }, Usage { files: 1, bytes: 1000 }));

    // Of eight that come at once three fit: by their bytes, and again by their number.
    for (quota, size) in [(Quota { files_max: 100, bytes_max: 700 }, 100), (Quota { files_max: 7, bytes_max: 100_000 }, 1)] {
        let before = usage(ada).await;
        let mut kept = Vec::new();
        let tries = (0..8).map(|number| {
            let (stores, file) = (stores.clone(), File { size, ..file(ada, content(number)) });
            tokio::spawn(async move {
                let folder = stores.media.hold(file.content_hash, NOW).await.expect("held");
                let outcome = stores.media.commit(filing(&file, |file| MediaWrite::CreateFile(file, folder, quota))).await;
                (file, outcome)
            })
        });
        for tried in tries.collect::<Vec<_>>() {
            match tried.await.expect("it ends") {
                (file, Ok(_)) => kept.push(file),
                (file, Err(CommitError::Full("files"))) => {
                    assert_eq!(stores.media.file(file.id).await.expect("a read"), None, "nothing of it is left");
                    let unused = stores.media.files_with(file.content_hash.id(), 1).await.expect("a read");
                    assert_eq!(unused, []);
                }
                (_, Err(other)) => panic!("{other:?}"),
            }
        }
        assert_eq!(kept.len(), 3, "{quota:?}");
        assert_eq!(usage(ada).await, Usage { files: before.files + 3, bytes: before.bytes + 3 * size });
        assert_eq!(usage(bob).await, Usage { files: 1, bytes: 1000 }, "it is each one's own");
    }
    remove(&stores, &first).await;
    assert_eq!(usage(ada).await, Usage { files: 6, bytes: 303 }, "what is removed makes room");
    let last = File { size: 1, ..file(ada, content(9)) };
    let folder = stores.media.hold(last.content_hash, NOW).await.expect("held");
    let quota = Quota { files_max: 7, bytes_max: 304 };
    stores.media.commit(filing(&last, |file| MediaWrite::CreateFile(file, folder, quota))).await.expect("it fits");
}

pub async fn content_says_who_shows_it(stores: Stores) {
    let hash = content(1);
    let unknown = content(3);
    let private = File { visibility: Visibility::Private, ..file(UserId::new(), hash) };
    let public = file(UserId::new(), hash);
    for file in [&public, &private, &file(UserId::new(), content(2))] {
        keep(&stores, file).await;
    }
    assert_eq!(stores.media.files_with(hash.id(), SHARERS_MAX).await.expect("a read"), [public.clone(), private]);
    assert_eq!(stores.media.files_with(hash.id(), 1).await.expect("a read"), [public]);
    assert_eq!(stores.media.files_with(unknown.id(), 1).await.expect("a read"), []);
}

pub async fn a_hidden_file_is_so_until_a_newer_verdict(stores: Stores) {
    let mut shown = file(UserId::new(), content(1));
    keep(&stores, &shown).await;
    for (hidden, case_version, heard) in [(true, 2, true), (false, 1, false), (false, 3, true)] {
        let next = File { hidden, version: shown.version + 1, ..shown.clone() };
        let verdict = Verdict { hidden, case_version };
        let commit = stores.media.commit(filing(&next, |file| MediaWrite::Moderate(file, verdict))).await;
        match commit {
            Ok(_) if heard => shown = next,
            Err(CommitError::Unchanged) if !heard => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(stores.media.file(shown.id).await.expect("a read"), Some(shown.clone()));
    }
}

pub async fn all_nodes_sign_with_one_key(stores: Stores) {
    let key = stores.media.signing_key([1; 32]).await.expect("a key");
    assert_eq!(key, [1; 32]);
    assert_eq!(stores.media.signing_key([2; 32]).await.expect("a key"), key);
}

fn content(number: u8) -> ContentHash {
    let mut hash = [number; 32];
    hash[..16].copy_from_slice(uuid::Uuid::now_v7().as_bytes());
    ContentHash(hash)
}
