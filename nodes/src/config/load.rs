//! Lays the sources over the defaults, one upon the other, and gathers every fault on the way.

use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{
    Config, Loaded,
    fault::{Fault, Faults, Place, clip},
    rule,
    setting::SECTIONS,
    source::{FILE_ENV, File, Flags, Sources},
    table::{ENV_PREFIX, Setting},
    value::Raw,
};

/// Faults of one kind beyond this number are not looked for: such a file is no configuration at all.
const FAULTS_MAX: usize = 200;

/// Makes the configuration of the sources, or returns every fault in them and `found_before`.
pub(super) fn load(sources: &Sources, found_before: Option<Fault>) -> Result<Loaded, Faults> {
    let mut loading = Loading { faults: found_before.into_iter().collect(), ..Loading::default() };
    let mut whole = loading.faults.is_empty();
    if let Some(file) = &sources.file {
        whole &= loading.lay_file(file);
    }
    for (name, value) in &sources.env {
        loading.lay_variable(name, value);
    }
    loading.lay_flags(&sources.flags);
    // The settings of a file that could not be read to its end may be what the others seem to lack.
    if whole {
        loading.judge_together();
    }
    match Faults::collect(loading.faults) {
        Some(faults) => Err(faults),
        None => Ok(Loaded { config: loading.config, origins: loading.origins }),
    }
}

/// Returns every setting.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// A configuration in the making.
#[derive(Default)]
struct Loading {
    config: Config,
    /// The places of the values that are not defaults, by key.
    origins: BTreeMap<&'static str, Place>,
    /// The places of the values that were refused, by key: what depends on them is not judged.
    refused: BTreeMap<&'static str, Place>,
    faults: Vec<Fault>,
}

impl Loading {
    fn fault(&mut self, place: Place, setting: impl Into<String>, problem: String, remedy: String) {
        self.faults.push(Fault { place, setting: setting.into(), problem, remedy });
    }

    fn lay(&mut self, setting: &'static Setting, raw: Raw<'_>, place: Place) {
        match (setting.read)(&mut self.config, raw) {
            Ok(()) => {
                self.origins.insert(setting.key, place);
            }
            Err(refusal) => {
                let quoted = if setting.secret { "the value".to_owned() } else { raw.quote() };
                self.refused.insert(setting.key, place.clone());
                let remedy = format!("write {}", (setting.accepted)());
                self.fault(place, setting.key, format!("{quoted} {}", refusal.0), remedy);
            }
        }
    }

    /// Lays a file, and returns whether it is TOML to its end. What stands after its first fault of form cannot be
    /// judged (it may belong to a section whose head is what is broken); what stands on lines before it is.
    fn lay_file(&mut self, file: &File) -> bool {
        let (root, errors) = DeTable::parse_recoverable(&file.text);
        for error in errors.iter().take(FAULTS_MAX) {
            // Only the message: an excerpt could show a secret.
            let place = file.place(error.span().unwrap_or_default());
            let problem = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            self.fault(place, "", problem, "correct it; what follows in the file was not checked".to_owned());
        }
        let first_error = errors.iter().map(|error| error.span().unwrap_or_default().start).min();
        let sound_bytes = first_error.map_or(usize::MAX, |at| file.line_start(at));

        for (name, value) in root.get_ref().iter() {
            if self.faults.len() >= FAULTS_MAX {
                break;
            }
            let Some(section) = SECTIONS.iter().find(|section| section.name == name.get_ref()) else {
                if name.span().end <= sound_bytes {
                    self.unknown(file.place(name.span()), name.get_ref());
                }
                continue;
            };
            let DeValue::Table(entries) = value.get_ref() else {
                if value.span().end <= sound_bytes {
                    let problem = format!("{} stands where a section is expected", Raw::Toml(value.get_ref()).quote());
                    let remedy = format!("write [{}] and the settings below it", section.name);
                    self.fault(file.place(name.span()), section.name, problem, remedy);
                }
                continue;
            };
            let sound = entries.iter().filter(|(_, value)| value.span().end <= sound_bytes);
            for (name, value) in sound.take(FAULTS_MAX) {
                match section.settings.iter().find(|setting| setting.name() == name.get_ref()) {
                    Some(setting) => self.lay(setting, Raw::Toml(value.get_ref()), file.place(value.span())),
                    None => self.unknown(file.place(name.span()), &format!("{}.{}", section.name, name.get_ref())),
                }
            }
        }
        errors.is_empty()
    }

    fn lay_variable(&mut self, name: &str, value: &OsString) {
        if name == FILE_ENV {
            return;
        }
        let place = Place::Env(clip(name));
        match (settings().find(|setting| setting.env() == name), value.to_str()) {
            (Some(setting), Some(text)) => self.lay(setting, Raw::Text(text), place),
            (Some(setting), None) => {
                let remedy = format!("write {}", (setting.accepted)());
                self.fault(place, setting.key, "the value is not UTF-8".to_owned(), remedy);
            }
            (None, _) if is_service_link(name) => {}
            (None, _) => self.unknown_variable(place, name),
        }
    }

    /// Lays the command line: named options first, then `--set` in the order given, since it says the most.
    fn lay_flags(&mut self, flags: &Flags) {
        if let Some(base) = flags.listen_port_base {
            self.move_listeners(base);
        }
        if let (Some(dir), Some(setting)) = (&flags.data_dir, find("node.data_dir")) {
            self.lay(setting, Raw::Text(dir), Place::Flag("--data-dir".to_owned()));
        }
        if let (true, Some(setting)) = (flags.dev, find("node.dev")) {
            self.lay(setting, Raw::Text("true"), Place::Flag("--dev".to_owned()));
        }
        for argument in &flags.set {
            let set = Place::Flag("--set".to_owned());
            let Some((key, value)) = argument.split_once('=') else {
                // The whole argument could be a secret whose name was forgotten.
                let problem = "an argument of --set has no `=`".to_owned();
                let remedy = "write --set SECTION.NAME=VALUE".to_owned();
                self.fault(set, "", problem, remedy);
                continue;
            };
            match find(key) {
                Some(setting) => self.lay(setting, Raw::Text(value), set),
                None => self.unknown(set, key),
            }
        }
    }

    fn move_listeners(&mut self, base: u16) {
        let place = || Place::Flag("--listen-port-base".to_owned());
        let listen = &mut self.config.listen;
        let mut moved = |key: &'static str, address: Option<&mut SocketAddr>, offset: u16| {
            if let Some(address) = address {
                address.set_port(if base == 0 { 0 } else { base.saturating_add(offset) });
                self.origins.insert(key, place());
            }
        };
        moved("listen.gateway", Some(&mut listen.gateway), 0);
        moved("listen.user", listen.user.as_mut(), 1);
        moved("listen.content", listen.content.as_mut(), 2);
        moved("listen.media", listen.media.as_mut(), 5);
        moved("listen.shop", listen.shop.as_mut(), 6);
        moved("listen.admin", Some(&mut listen.admin), 10);
    }

    fn unknown(&mut self, place: Place, key: &str) {
        let known = settings().map(|setting| setting.key.to_owned()).chain(SECTIONS.iter().map(|s| s.name.to_owned()));
        let (setting, remedy) = (clip(key), meant(key, known));
        self.fault(place, setting, "there is no such setting".to_owned(), remedy);
    }

    fn unknown_variable(&mut self, place: Place, name: &str) {
        let known = settings().map(Setting::env).chain([FILE_ENV.to_owned()]);
        let remedy = meant(name, known);
        let problem = format!("no setting belongs to this variable, and {ENV_PREFIX}* is ours");
        self.fault(place, "", problem, remedy);
    }

    /// Judges what settings demand of each other. The fault stands at the setting that was written with the highest
    /// precedence, and names the places of the others.
    fn judge_together(&mut self) {
        for violation in rule::violations(&self.config) {
            if violation.keys.iter().any(|key| self.refused.contains_key(key.as_str())) {
                continue;
            }
            let written = violation.keys.iter().filter_map(|key| Some((self.origins.get(key.as_str())?, key)));
            let mut written: Vec<(Place, &String)> = written.map(|(place, key)| (place.clone(), key)).collect();
            written.sort();
            let place = written.pop().map_or(Place::Default, |(place, _)| place);
            let others: String = written.iter().map(|(place, key)| format!(" ({key} comes from {place})")).collect();
            let problem = format!("{}{others}", violation.problem);
            self.fault(place, violation.keys.join(" and "), problem, violation.remedy);
        }
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.key == key)
}

/// Advises what was probably meant by an unknown name, if any known one is close.
fn meant(unknown: &str, known: impl Iterator<Item = String>) -> String {
    /// The comparison takes memory by the product of the lengths.
    const COMPARED_BYTES_MAX: usize = 100;
    const CLOSE: f64 = 0.7;
    let closeness = |known: &str| {
        let same_name = known.rsplit('.').next() == Some(unknown);
        if same_name { 1.0 } else { strsim::normalized_damerau_levenshtein(unknown, known) }
    };
    let closest = (unknown.len() <= COMPARED_BYTES_MAX)
        .then(|| known.map(|known| (closeness(&known), known)).max_by(|(a, _), (b, _)| a.total_cmp(b)))
        .flatten();
    match closest {
        Some((closeness, known)) if closeness >= CLOSE => format!("did you mean {known}?"),
        _ => "remove it; `lets-connect config` prints every setting".to_owned(),
    }
}

/// Whether a variable is one that Kubernetes adds for each service of the namespace: one called `lets-connect-user`
/// yields `LETS_CONNECT_USER_SERVICE_HOST`, `LETS_CONNECT_USER_PORT_8001_TCP_ADDR` and more, which nobody wrote.
fn is_service_link(name: &str) -> bool {
    let after_port = name.split_once("_PORT_").map(|(_, rest)| rest);
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || after_port.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl File {
    fn place(&self, span: Range<usize>) -> Place {
        let start = self.line_start(span.start);
        let before = &self.text.as_bytes()[..start];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let in_line = &self.text.as_bytes()[start..span.start.clamp(start, self.text.len())];
        // Bytes that do not start a character do not count.
        let column = 1 + in_line.iter().filter(|byte| (**byte & 0xC0) != 0x80).count();
        Place::File { path: self.path.clone(), line, column }
    }

    /// Returns where the line that holds the byte starts.
    fn line_start(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
    }
}
