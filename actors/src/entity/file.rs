//! Uploaded files, and the content that they have. A file's row is what says that its variants are still to be made: so it is the job as well.

use super::{Asked, Decision, Entity, Plan, QueryError, family, heard, json, touch};
use crate::{node::Node, visibility::moderates};
use protocol::{
    Audience, Command, ErrorCode, Fact, Key, Kind, MediaId, Outcome, Query, Refusal, Reply, View,
    file::{self, ATTEMPTS_MAX, Class, NewFile, Rendered, SHARERS_MAX, Status},
};
use std::{convert::Infallible, sync::Arc};
use store::{Expect, MediaWrite, StoreError, Touch, Write};
use uuid::Uuid;

/// The owner of files.
pub struct File;

impl Entity for File {
    const KIND: Kind = Kind::File;
    type State = file::File;
    type Command = file::Command;

    fn command(command: Command) -> Option<file::Command> {
        if let Command::File(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<file::File>, StoreError> {
        node.stores.media.file(MediaId(id)).await
    }

    fn version(state: &file::File) -> u64 {
        state.version
    }

    fn bytes(state: &file::File) -> usize {
        let texts = [&state.original_name, &state.failure, &state.blur_placeholder];
        size_of::<file::File>()
            + state.filename.len()
            + state.mime_type.len()
            + texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum::<usize>()
    }

    fn view(state: &file::File) -> View {
        View { version: state.version, audience: state.audience(), body: json(state), fact: Fact::File(Box::new(state.place())) }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<file::File>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&file::File>, asked: &Asked, command: file::Command) -> Result<Decision<file::File>, Refusal> {
        if let file::Command::Create(new) = command {
            return if state.is_some() { Err(ErrorCode::Conflict.into()) } else { create(asked, *new) };
        }
        let state = state.ok_or(ErrorCode::NotFound)?;
        let is_pending = state.status == Status::Pending;
        match command {
            file::Command::Create(_) => Err(ErrorCode::BadFrame.into()),
            file::Command::Update(update) => {
                asked.only(state.user_id)?;
                let visibility = update.visibility.unwrap_or(state.visibility);
                Ok(save(state, file::File { visibility, updated_at: asked.now, ..next(state) }))
            }
            file::Command::Delete => {
                if !moderates(&asked.principal) {
                    asked.only(state.user_id)?;
                }
                let write = MediaWrite::RemoveFile(Box::new(next(state)));
                let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
                Ok(plan(write, touches(Some(state), None), None, reply))
            }
            // What was decided before it was asked changes nothing: a job may be done twice, and comes to one result.
            file::Command::TakeUp | file::Command::Render(_) | file::Command::Fail(_) if !is_pending => {
                asked.only_platform()?;
                Ok(Decision::Answer(done(state)))
            }
            file::Command::TakeUp if state.attempts >= ATTEMPTS_MAX => {
                asked.only_platform()?;
                Ok(save(state, failed(state, asked, format!("its rendering was broken off {ATTEMPTS_MAX} times"))))
            }
            file::Command::TakeUp => {
                asked.only_platform()?;
                Ok(save(state, file::File { attempts: state.attempts + 1, ..next(state) }))
            }
            file::Command::Render(likeness) => {
                asked.only_platform()?;
                Ok(save(state, file::File { updated_at: asked.now, ..with(next(state), likeness) }))
            }
            file::Command::Fail(reason) => {
                asked.only_platform()?;
                Ok(save(state, failed(state, asked, reason)))
            }
            file::Command::Moderate(verdict) => {
                asked.only_platform()?;
                let next = file::File { hidden: verdict.hidden, ..next(state) };
                let touches = touches(Some(state), Some(&next));
                let write = Write::Media(MediaWrite::Moderate(Box::new(next.clone()), verdict));
                Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply: heard(), unchanged: Some(heard()) }.into())
            }
        }
    }
}

fn create(asked: &Asked, new: NewFile) -> Result<Decision<file::File>, Refusal> {
    let user_id = asked.user_named(new.user_id)?;
    new.validate()?;
    let is_to_be_rendered = new.class == Class::Image && new.known.is_none();
    let file = file::File {
        id: MediaId(asked.id),
        user_id,
        filename: format!("{}.{}", new.hash, new.extension),
        original_name: new.original_name,
        mime_type: new.mime_type,
        size: new.size,
        class: new.class,
        visibility: new.visibility,
        status: if is_to_be_rendered { Status::Pending } else { Status::Ready },
        failure: None,
        content_hash: new.hash,
        blur_placeholder: None,
        dominant_color: None,
        metadata: new.metadata,
        created_at: asked.now,
        updated_at: asked.now,
        version: 1,
        hidden: false,
        rendered: Rendered::Nothing,
        attempts: 0,
    };
    let file = match new.known {
        Some(likeness) => with(file, likeness),
        None => file,
    };
    let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&file) };
    let write = MediaWrite::CreateFile(Box::new(file.clone()), new.folder, asked.quota);
    Ok(plan(write, touches(None, Some(&file)), Some(file), reply))
}

/// The file with what was made of it.
fn with(file: file::File, likeness: file::Likeness) -> file::File {
    let is_whole = matches!(likeness.rendered, Rendered::Smaller | Rendered::Original);
    file::File {
        status: if is_whole { Status::Ready } else { file.status },
        rendered: likeness.rendered,
        blur_placeholder: Some(likeness.blur_placeholder),
        dominant_color: Some(likeness.dominant_color),
        ..file
    }
}

fn failed(state: &file::File, asked: &Asked, reason: String) -> file::File {
    file::File { status: Status::Failed, failure: Some(reason), updated_at: asked.now, ..next(state) }
}

fn next(state: &file::File) -> file::File {
    file::File { version: state.version + 1, ..state.clone() }
}

fn done(state: &file::File) -> Reply {
    Reply { outcome: Outcome::Done, version: state.version, body: json(state) }
}

fn save(before: &file::File, next: file::File) -> Decision<file::File> {
    let touches = touches(Some(before), Some(&next));
    let reply = done(&next);
    plan(MediaWrite::SaveFile(Box::new(next.clone())), touches, Some(next), reply)
}

fn plan(write: MediaWrite, touches: Vec<Touch>, next: Option<file::File>, reply: Reply) -> Decision<file::File> {
    Plan { write: Write::Media(write), expect: Expect::Row, touches, next, reply, unchanged: None }.into()
}

/// Lists move when files enter or leave them; content, when who shows it does.
fn touches(before: Option<&file::File>, after: Option<&file::File>) -> Vec<Touch> {
    let Some(file) = after.or(before) else { return Vec::new() };
    let came_or_went = before.is_some() != after.is_some();
    let mut touches = Vec::new();
    if before.is_some_and(file::File::is_listed) != after.is_some_and(file::File::is_listed) {
        touches.push(touch(Kind::FileList, family::FILES));
    }
    if came_or_went {
        touches.push(touch(Kind::UserFiles, file.user_id));
    }
    if came_or_went || before.is_some_and(file::File::is_open) != after.is_some_and(file::File::is_open) {
        touches.push(touch(Kind::Content, file.content_hash.id()));
    }
    touches
}

/// The owner of content: it says what bytes are, and whose files show them. Files are written by their own owners, which touch it.
pub struct Content;

/// Content under the version of its key.
pub struct Shown {
    version: u64,
    content: file::Content,
}

impl Entity for Content {
    const KIND: Kind = Kind::Content;
    type State = Shown;
    type Command = Infallible;

    fn command(_: Command) -> Option<Infallible> {
        None
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Shown>, StoreError> {
        let media = &node.stores.media;
        // Before the rows: they are at least as new as this.
        let version = media.key_version(Key::new(Kind::Content, id)).await?;
        let files = media.files_with(id, SHARERS_MAX).await?;
        let folder = media.folder(id).await?;
        Ok(files.first().zip(folder).map(|(first, folder)| {
            let content = file::Content {
                hash: first.content_hash,
                folder,
                extension: first.place().extension,
                mime_type: first.mime_type.clone(),
                is_image: first.class == Class::Image,
                public_by: files.iter().filter(|file| file.is_open()).map(|file| file.user_id).collect(),
                of: first.user_id,
            };
            Shown { version, content }
        }))
    }

    fn version(state: &Shown) -> u64 {
        state.version
    }

    fn bytes(state: &Shown) -> usize {
        size_of::<Shown>() + state.content.mime_type.len() + state.content.public_by.len() * 16
    }

    fn view(state: &Shown) -> View {
        let fact = Fact::Content(Box::new(state.content.clone()));
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<Shown>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(_: Option<&Shown>, _: &Asked, command: Infallible) -> Result<Decision<Shown>, Refusal> {
        match command {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{
        Principal, Role, Timestamp, UserId,
        file::{Colour, ContentHash, Likeness, Update, Visibility},
    };

    fn a_file(user: UserId) -> file::File {
        let new = NewFile {
            user_id: None,
            original_name: Some("beach.jpg".to_owned()),
            visibility: Visibility::Public,
            hash: ContentHash([3; 32]),
            folder: Uuid::from_u128(1),
            extension: "jpeg".to_owned(),
            mime_type: "image/jpeg".to_owned(),
            size: 100,
            class: Class::Image,
            metadata: None,
            known: None,
        };
        decide(None, person(user), file::Command::Create(Box::new(new))).expect("made").next.expect("a file")
    }

    fn person(id: UserId) -> Principal {
        Principal::User { id, role: Role::User }
    }

    fn likeness(rendered: Rendered) -> Likeness {
        Likeness { rendered, blur_placeholder: "data:".to_owned(), dominant_color: Colour { r: 1, g: 2, b: 3 } }
    }

    fn decide(state: Option<&file::File>, principal: Principal, command: file::Command) -> Result<Plan<file::File>, ErrorCode> {
        let id = state.map_or_else(Uuid::now_v7, |state| state.id.0);
        match File::decide(state, &Asked { id, principal, now: Timestamp(9), quota: protocol::file::Quota::NONE }, command) {
            Ok(Decision::Commit(plan)) => Ok(*plan),
            Ok(Decision::Answer(reply)) => Ok(Plan {
                write: Write::Media(MediaWrite::Follow),
                expect: Expect::Any,
                touches: Vec::new(),
                next: None,
                reply,
                unchanged: None,
            }),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn an_image_is_ready_once_all_of_its_variants_are_there_and_listed_then() {
        let ada = UserId::new();
        let pending = a_file(ada);
        assert_eq!((pending.status, pending.is_listed()), (Status::Pending, false));
        let render = |state: &file::File, rendered| decide(Some(state), Principal::Platform, file::Command::Render(likeness(rendered)));
        let sizes = render(&pending, Rendered::Sizes).expect("rendered");
        assert_eq!(sizes.touches, [], "nothing entered a list");
        let sizes = sizes.next.expect("a state");
        assert_eq!((sizes.status, sizes.rendered), (Status::Pending, Rendered::Sizes));
        let whole = render(&sizes, Rendered::Original).expect("rendered");
        assert_eq!(whole.touches, [touch(Kind::FileList, family::FILES)]);
        let whole = whole.next.expect("a state");
        assert_eq!((whole.status, whole.rendered), (Status::Ready, Rendered::Original));
        let again = render(&whole, Rendered::Smaller).expect("no error");
        assert!(again.next.is_none() && matches!(again.write, Write::Media(MediaWrite::Follow)), "there is one result");
        assert_eq!(
            decide(Some(&pending), person(ada), file::Command::Render(likeness(Rendered::Smaller))).err(),
            Some(ErrorCode::Forbidden)
        );
    }

    #[test]
    fn what_ends_the_process_is_not_taken_up_for_ever() {
        let mut state = a_file(UserId::new());
        for _ in 0..ATTEMPTS_MAX {
            state = decide(Some(&state), Principal::Platform, file::Command::TakeUp).expect("taken up").next.expect("a state");
            assert_eq!(state.status, Status::Pending);
        }
        let state = decide(Some(&state), Principal::Platform, file::Command::TakeUp).expect("ended").next.expect("a state");
        assert_eq!((state.status, state.audience()), (Status::Failed, Audience::Only(state.user_id)));
    }

    #[test]
    fn only_the_owner_changes_a_file_and_content_hears_of_it() {
        let (ada, bob) = (UserId::new(), UserId::new());
        let state = a_file(ada);
        let hide = || file::Command::Update(Update { visibility: Some(Visibility::Private) });
        assert_eq!(decide(Some(&state), person(bob), hide()).err(), Some(ErrorCode::Forbidden));
        let hidden = decide(Some(&state), person(ada), hide()).expect("changed");
        assert_eq!(hidden.touches, [touch(Kind::Content, state.content_hash.id())]);
        assert_eq!(hidden.next.expect("a state").audience(), Audience::Only(ada));
        assert_eq!(decide(Some(&state), person(bob), file::Command::Delete).err(), Some(ErrorCode::Forbidden));
        let gone = decide(Some(&state), Principal::User { id: bob, role: Role::Moderator }, file::Command::Delete).expect("removed");
        assert!(gone.next.is_none() && gone.touches.contains(&touch(Kind::UserFiles, ada)));
        assert_eq!(decide(None, person(ada), file::Command::Delete).err(), Some(ErrorCode::NotFound));
    }

    #[test]
    fn what_was_made_of_the_same_content_is_not_made_again() {
        let known = Some(likeness(Rendered::Smaller));
        let new = NewFile {
            user_id: None,
            original_name: None,
            visibility: Visibility::Public,
            hash: ContentHash([3; 32]),
            folder: Uuid::from_u128(1),
            extension: "png".to_owned(),
            mime_type: "image/png".to_owned(),
            size: 100,
            class: Class::Image,
            metadata: None,
            known,
        };
        let made = decide(None, person(UserId::new()), file::Command::Create(Box::new(new))).expect("made").next.expect("a file");
        assert_eq!((made.status, made.is_listed(), made.dominant_color), (Status::Ready, true, Some(Colour { r: 1, g: 2, b: 3 })));
    }
}
