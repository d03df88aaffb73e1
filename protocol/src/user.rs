//! People: profile and skills.

use crate::{
    account::{DEPARTED_HOST, Device, Session},
    error::{ErrorCode, Refusal},
    id::{SkillId, UserId},
    moderation::Verdict,
    patch::Patch,
    principal::{Principal, Role, UnknownName},
    time::Timestamp,
    validate,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// Skills that one person may list.
pub const SKILLS_MAX: usize = 100;
/// Longest reason of a ban, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// Longest biography, in characters.
pub const BIO_CHARS_MAX: usize = 2000;

/// A person, as their owner holds them. What others may see is [`PublicUser`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct User {
    pub id: UserId,
    pub username: String,
    // Left out of the public view, from which a warm person's owner reads the rest back.
    #[serde(default)]
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub bio: Option<String>,
    pub avatar: Option<String>,
    pub role: Role,
    pub is_active: bool,
    pub profile: Profile,
    pub skills: Vec<Skill>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// The longer part of a person's profile.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Profile {
    pub phone_number: Option<String>,
    pub date_of_birth: Option<String>,
    pub location: Option<String>,
    pub website: Option<String>,
    pub company: Option<String>,
    pub job_title: Option<String>,
    pub interests: Vec<String>,
    pub social_links: BTreeMap<String, String>,
}

/// What everyone may see of a person: one body for all viewers, without email, phone number, date of birth or secrets.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PublicUser"))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct PublicUser<'a> {
    pub id: UserId,
    pub username: &'a str,
    pub first_name: &'a Option<String>,
    pub last_name: &'a Option<String>,
    pub bio: &'a Option<String>,
    pub avatar: &'a Option<String>,
    pub role: Role,
    pub is_active: bool,
    pub profile: PublicProfile<'a>,
    pub skills: &'a [Skill],
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// What everyone may see of a profile.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PublicProfile"))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct PublicProfile<'a> {
    pub location: &'a Option<String>,
    pub website: &'a Option<String>,
    pub company: &'a Option<String>,
    pub job_title: &'a Option<String>,
    pub interests: &'a [String],
    pub social_links: &'a BTreeMap<String, String>,
}

impl User {
    /// The person after they left: nobody, under an id that others' rows still name. Name and address are free again.
    #[must_use]
    pub fn departed(&self, now: Timestamp) -> Self {
        Self {
            id: self.id,
            username: format!("deleted-{}", self.id.0.simple()),
            email: format!("{}@{DEPARTED_HOST}", self.id),
            first_name: None,
            last_name: None,
            bio: None,
            avatar: None,
            role: Role::User,
            is_active: false,
            profile: Profile::default(),
            skills: Vec::new(),
            created_at: self.created_at,
            updated_at: now,
            version: self.version + 1,
        }
    }

    /// Whether the person left. They do not come back, by no moderator's deed either.
    #[must_use]
    pub fn is_departed(&self) -> bool {
        self.email.split_once('@').is_some_and(|(_, host)| host == DEPARTED_HOST)
    }

    /// What everyone may see.
    #[must_use]
    pub fn public(&self) -> PublicUser<'_> {
        let p = &self.profile;
        PublicUser {
            id: self.id,
            username: &self.username,
            first_name: &self.first_name,
            last_name: &self.last_name,
            bio: &self.bio,
            avatar: &self.avatar,
            role: self.role,
            is_active: self.is_active,
            profile: PublicProfile {
                location: &p.location,
                website: &p.website,
                company: &p.company,
                job_title: &p.job_title,
                interests: &p.interests,
                social_links: &p.social_links,
            },
            skills: &self.skills,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

/// How well somebody has a skill.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    #[default]
    Beginner,
    Intermediate,
    Advanced,
    Expert,
}

impl Level {
    /// The level's name in rows and views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Beginner => "beginner",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
            Self::Expert => "expert",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Beginner, Self::Intermediate, Self::Advanced, Self::Expert].into_iter().find(|l| l.name() == text).ok_or(UnknownName)
    }
}

/// A skill that somebody claims, and how many vouch for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Skill {
    pub id: SkillId,
    pub name: String,
    pub level: Level,
    pub endorsements: u32,
    pub created_at: Timestamp,
}

/// Writes to a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Creates the account, its profile and its first session.
    Register(Box<NewUser>),
    /// Changes the fields present. The person only.
    Update(Box<Update>),
    /// Adds a skill. The person only.
    AddSkill(NewSkill),
    /// Removes a skill with its endorsements. The person only.
    RemoveSkill(SkillId),
    /// Vouches for a skill. Anyone signed in but the person; again is no error.
    Endorse(SkillId),
    /// Takes that back. Taking back what is not there is no error.
    Unendorse(SkillId),
    /// Sets the person's role. An admin or the platform only: see [`may_set_role`].
    SetRole {
        /// The new one.
        role: Role,
        /// Where the request came from.
        from: Option<IpAddr>,
    },
    /// Bans the person, or ends a ban. A moderator above them or the platform only: see [`may_set_active`].
    SetActive {
        /// What, and why.
        change: SetActive,
        /// Where the request came from.
        from: Option<IpAddr>,
    },
    /// Leaves for good. The person only, whose password was checked before it is sent.
    Leave {
        /// Where the request came from.
        from: Option<IpAddr>,
    },
    /// Bans the person, or ends a ban, as their case says. The platform only.
    Moderate(Verdict),
}

/// The body of `PUT /users/:userId/role`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetRole {
    /// The new role.
    pub role: Role,
}

/// The body of `PUT /users/:userId/active`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetActive {
    /// `false` bans, `true` ends a ban.
    pub is_active: bool,
    /// Why, for the audit log: at most [`REASON_CHARS_MAX`] characters.
    #[serde(default)]
    pub reason: Option<String>,
}

impl SetActive {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::optional("reason", self.reason.as_ref(), REASON_CHARS_MAX)
    }
}

/// Whether `by` may give a person of rank `before` the rank `after`: an admin, to people below them, ranks below their own. So admins are made, and
/// unmade, on the command line only, and nobody raises themselves.
///
/// # Errors
/// `unauthenticated`, `forbidden`.
pub fn may_set_role(by: &Principal, person: UserId, before: Role, after: Role) -> Result<(), Refusal> {
    outranks(by, person, before.max(after), Role::Admin)
}

/// Whether `by` may ban a person of this rank or end their ban: a moderator or admin, if they outrank the person.
///
/// # Errors
/// `unauthenticated`, `forbidden`.
pub fn may_set_active(by: &Principal, person: UserId, rank: Role) -> Result<(), Refusal> {
    outranks(by, person, rank, Role::Moderator)
}

fn outranks(by: &Principal, person: UserId, rank: Role, least: Role) -> Result<(), Refusal> {
    match by {
        Principal::Platform => Ok(()),
        Principal::Anonymous => Err(ErrorCode::Unauthenticated.into()),
        Principal::User { id, .. } if *id == person => Err(Refusal::new(ErrorCode::Forbidden, "nobody does this to themselves")),
        Principal::User { role, .. } if *role < least => Err(ErrorCode::Forbidden.into()),
        Principal::User { role, .. } if *role <= rank => {
            Err(Refusal::new(ErrorCode::Forbidden, "this takes a rank above the person's, and above the one given"))
        }
        Principal::User { .. } => Ok(()),
    }
}

/// A registration whose password is hashed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NewUser {
    pub username: String,
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub password_hash: String,
    pub session: Session,
    pub device: Device,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The body of `POST /users/:userId/skills`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSkill {
    /// 1 to 64 characters; unique for the person, without regard to case.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub name: String,
    /// How well.
    #[serde(default)]
    pub level: Level,
}

impl NewSkill {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::text("name", &self.name, 1..=64)
    }
}

/// The body of `PUT /profile/:userId`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UserUpdate"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    pub first_name: Patch<String>,
    pub last_name: Patch<String>,
    pub bio: Patch<String>,
    pub avatar: Patch<String>,
    pub profile: ProfileUpdate,
}

/// The `profile` of an [`Update`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct ProfileUpdate {
    pub phone_number: Patch<String>,
    pub date_of_birth: Patch<String>,
    pub location: Patch<String>,
    pub website: Patch<String>,
    pub company: Patch<String>,
    pub job_title: Patch<String>,
    pub interests: Patch<Vec<String>>,
    pub social_links: Patch<BTreeMap<String, String>>,
}

impl Update {
    /// Checks every field that is present.
    ///
    /// # Errors
    /// `invalid_field`, naming the first that is out of its range.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::optional("firstName", self.first_name.value(), 64)?;
        validate::optional("lastName", self.last_name.value(), 64)?;
        validate::optional("bio", self.bio.value(), BIO_CHARS_MAX)?;
        validate::address("avatar", self.avatar.value())?;
        let p = &self.profile;
        validate::optional("profile.phoneNumber", p.phone_number.value(), 32)?;
        validate::optional("profile.location", p.location.value(), 128)?;
        validate::address("profile.website", p.website.value())?;
        validate::optional("profile.company", p.company.value(), 128)?;
        validate::optional("profile.jobTitle", p.job_title.value(), 128)?;
        if let Some(date) = p.date_of_birth.value() {
            time::Date::parse(date, time::macros::format_description!("[year]-[month]-[day]"))
                .map_err(|_| Refusal::field("profile.dateOfBirth takes a date such as 1990-12-31"))?;
        }
        for interest in p.interests.value().into_iter().flatten() {
            validate::text("profile.interests", interest, 1..=64)?;
        }
        validate::count("profile.interests", p.interests.value().map_or(0, Vec::len), 50)?;
        validate::count("profile.socialLinks", p.social_links.value().map_or(0, BTreeMap::len), 20)?;
        for (site, link) in p.social_links.value().into_iter().flatten() {
            validate::text("profile.socialLinks", site, 1..=32)?;
            validate::address("profile.socialLinks", Some(link))?;
        }
        Ok(())
    }

    /// Carries the update out on `user`.
    pub fn apply(self, user: &mut User) {
        self.first_name.apply(&mut user.first_name);
        self.last_name.apply(&mut user.last_name);
        self.bio.apply(&mut user.bio);
        self.avatar.apply(&mut user.avatar);
        let (p, from) = (&mut user.profile, self.profile);
        from.phone_number.apply(&mut p.phone_number);
        from.date_of_birth.apply(&mut p.date_of_birth);
        from.location.apply(&mut p.location);
        from.website.apply(&mut p.website);
        from.company.apply(&mut p.company);
        from.job_title.apply(&mut p.job_title);
        if !matches!(from.interests, Patch::Keep) {
            p.interests = from.interests.value().cloned().unwrap_or_default();
        }
        if !matches!(from.social_links, Patch::Keep) {
            p.social_links = from.social_links.value().cloned().unwrap_or_default();
        }
    }
}
