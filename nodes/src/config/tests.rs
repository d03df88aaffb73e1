use std::{collections::BTreeSet, fs};

use proptest::prelude::*;

use super::{
    load::{load, settings},
    setting::image_workers,
    source::{File, Sources},
    table::Setting,
    value::{Raw, Shown},
    *,
};

const TOKEN: &str = "correct-horse-battery-staple-0123456789";

/// Loads from a file's text, variables and `--set` arguments.
fn loaded(file: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Loaded, Faults> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let set = set.iter().map(|argument| (*argument).to_owned()).collect();
    let file = File { path: "lets-connect.toml".into(), text: file.to_owned() };
    load(&Sources { file: Some(file), env, flags: Flags { set, ..Flags::default() } }, None)
}

/// Loads as above and returns the faults as a user reads them.
fn faults(file: &str, env: &[(&str, &str)], set: &[&str]) -> Vec<String> {
    match loaded(file, env, set) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.as_slice().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_last_source_wins_and_each_value_knows_its_source() {
    let file = "[http]\nheader_timeout_s = 6\nconnections_max = 7\nbody_bytes_max = \"2 MiB\"\n";
    let env = [("LETS_CONNECT_HTTP_CONNECTIONS_MAX", "8"), ("LETS_CONNECT_HTTP_BODY_BYTES_MAX", "9MiB")];
    let loaded = loaded(file, &env, &["http.body_bytes_max=1048577", "http.body_bytes_max=3_000_000"]).expect("sound");
    let http = &loaded.config.http;
    assert_eq!((http.header_timeout_s, http.connections_max, http.body_bytes_max), (6, 8, 3_000_000));
    assert_eq!(http.drain_timeout_s, 10);
    assert_eq!(loaded.origin("http.header_timeout_s").to_string(), "lets-connect.toml:2:20");
    assert_eq!(loaded.origin("http.connections_max").to_string(), "LETS_CONNECT_HTTP_CONNECTIONS_MAX");
    assert_eq!(loaded.origin("http.body_bytes_max").to_string(), "--set");
    assert_eq!(loaded.origin("http.drain_timeout_s"), &Place::Default);
}

#[test]
fn without_sources_the_defaults_hold() {
    assert_eq!(loaded("", &[], &[]).expect("sound").config, Config::default());
}

#[test]
fn every_fault_of_every_source_is_told_at_once_with_place_and_remedy() {
    let file = "\
[http]
connections_max = \"ten\"
boddy_bytes_max = 5
header_timeout_s = 0

[lissten]
user = \"127.0.0.1:9\"

[listen]
user = \"localhost:8001\"
";
    let env = [("LETS_CONNECT_LOG_FORMAT", "xml"), ("LETS_CONNECT_HTTP_BODY_BYTE_MAX", "5")];
    let set = ["sqlite.readers=-1", "readers=3", "oops", "gateway.tls_key_file=key.pem"];
    assert_eq!(
        faults(file, &env, &set),
        [
            "lets-connect.toml:2:19: http.connections_max: \"ten\" is not a whole number; \
             write a whole number from 1 to 1000000",
            "lets-connect.toml:3:1: http.boddy_bytes_max: there is no such setting; did you mean http.body_bytes_max?",
            "lets-connect.toml:4:20: http.header_timeout_s: 0 is out of range; \
             write a whole number of seconds from 1 to 300",
            "lets-connect.toml:6:2: lissten: there is no such setting; did you mean listen?",
            "lets-connect.toml:10:8: listen.user: \"localhost:8001\" is not an IP address with a port; write \"off\", \
             or an IP address and port such as \"127.0.0.1:8000\" or \"[::1]:8000\"; port 0 lets the system choose",
            "LETS_CONNECT_HTTP_BODY_BYTE_MAX: no setting belongs to this variable, and LETS_CONNECT_* is ours; \
             did you mean LETS_CONNECT_HTTP_BODY_BYTES_MAX?",
            "LETS_CONNECT_LOG_FORMAT: log.format: \"xml\" is not a log format; write \"auto\", \"human\" or \"json\"",
            "--set: an argument of --set has no `=`; write --set SECTION.NAME=VALUE",
            "--set: gateway.tls_cert_file and gateway.tls_key_file: \
             there is a private key without a certificate; set both for TLS, or neither",
            "--set: readers: there is no such setting; did you mean sqlite.readers?",
            "--set: sqlite.readers: \"-1\" is out of range; write a whole number from 1 to 64",
        ]
    );
}

#[test]
fn a_contradiction_between_sources_names_all_their_places() {
    let found = faults("[listen]\nuser = \"0.0.0.0:8000\"\n", &[("LETS_CONNECT_LISTEN_SHOP", "127.0.0.1:8000")], &[]);
    let shop = "LETS_CONNECT_LISTEN_SHOP: listen.user and listen.shop: both listeners want port 8000 \
                (listen.user comes from lets-connect.toml:2:8); give each its own port, or turn one off";
    assert!(found.iter().any(|fault| fault == shop), "{found:#?}");
    assert_eq!(found.len(), 3, "each pair of the three listeners: {found:#?}");
}

#[test]
fn what_depends_on_a_refused_value_is_not_judged() {
    let found = faults("[gateway]\ntls_cert_file = 5\ntls_key_file = \"key.pem\"\n", &[], &[]);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_file_that_is_not_toml_is_judged_up_to_its_first_fault() {
    let found = faults("[http]\nconnections_max = 0\n[sqlite\nreaders = 0\nbusy_timeout_ms = \n", &[], &["a.b=1"]);
    assert_eq!(found[0].split(';').next(), Some("lets-connect.toml:2:19: http.connections_max: 0 is out of range"));
    assert!(found[1].starts_with("lets-connect.toml:3:8: this is not TOML: "), "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("--set: a.b: ")), "{found:#?}");
    assert!(!found.iter().any(|fault| fault.contains("readers")), "{found:#?}");
}

#[test]
fn forms_that_are_not_a_section_or_value_are_refused() {
    assert_eq!(
        faults("http = 5\n[[listen]]\n[sqlite.readers]\nx = 1\n[log]\nfilter = [1]\n", &[], &[]),
        [
            "lets-connect.toml:1:1: http: 5 stands where a section is expected; \
             write [http] and the settings below it",
            "lets-connect.toml:2:3: listen: a list stands where a section is expected; \
             write [listen] and the settings below it",
            "lets-connect.toml:3:1: sqlite.readers: a table is not a whole number; \
             write a whole number from 1 to 64",
            "lets-connect.toml:6:10: log.filter: a list is not text in quotes; \
             write a level (error, warn, info, debug, trace, off) or directives such as \"info,edge=debug\"",
        ]
    );
}

#[test]
fn a_secret_is_shown_nowhere() {
    let file = format!("[listen]\nadmin_token = \"{TOKEN}\"\n");
    let sound = loaded(&file, &[], &["listen.admin=0.0.0.0:8010"]).expect("sound");
    assert_eq!(sound.config.listen.admin_token.as_ref().map(Secret::expose), Some(TOKEN));
    assert!(sound.to_toml().contains("\n# admin_token is secret # lets-connect.toml:2:15\n"));
    assert!(!format!("{sound:?}{}", sound.to_toml()).contains(TOKEN));

    let line_break = format!("{TOKEN}\n");
    let env = [("LETS_CONNECT_LISTEN_ADMIN_TOKEN", line_break.as_str()), ("LETS_CONNECT_LISTEN_ADMIN_TOKN", TOKEN)];
    let misplaced = format!("listen.admin_tokem={TOKEN}");
    let broken = format!("[listen]\nadmin_token = {TOKEN}\n");
    let found = faults(&broken, &env, &[&misplaced, TOKEN]);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(!format!("{found:?}").contains(TOKEN), "{found:#?}");
}

#[test]
fn the_printed_configuration_is_a_configuration() {
    let env = [("LETS_CONNECT_NODE_DATA_DIR", "/srv/a \"b\"\n# c"), ("LETS_CONNECT_LISTEN_SHOP", "off")];
    let first = loaded("[cache]\nbytes_max = 1_048_577\n", &env, &[]).expect("sound");
    let printed = first.to_toml();
    assert!(printed.contains("\nshop = \"off\" # LETS_CONNECT_LISTEN_SHOP\n"), "{printed}");
    assert!(printed.contains("\nbytes_max = \"1048577 B\" # lets-connect.toml:2:13\n"), "{printed}");
    assert!(printed.contains("\nbody_bytes_max = \"1 MiB\"\n"), "{printed}");
    assert_eq!(loaded(&printed, &[], &[]).expect("sound").config, first.config);
}

#[test]
fn every_default_is_accepted_as_it_is_documented() {
    for setting in settings() {
        if let Shown::Literal(literal) = (setting.show)(&Config::default()) {
            let value = toml::de::DeValue::parse(&literal).expect("TOML");
            let mut config = Config::default();
            assert_eq!((setting.read)(&mut config, Raw::Toml(value.get_ref())), Ok(()), "{}", setting.key);
            assert_eq!(config, Config::default(), "{}", setting.key);
        }
    }
}

#[test]
fn each_setting_has_a_variable_of_its_own_that_is_no_service_link() {
    let names: BTreeSet<String> = settings().map(Setting::env).collect();
    assert_eq!(names.len(), settings().count());
    assert!(names.contains("LETS_CONNECT_HTTP_BODY_RATE_MIN_BYTES_PER_S"));
    assert!(!names.contains(source::FILE_ENV));
}

#[test]
fn variables_of_kubernetes_are_passed_over() {
    let links = [
        ("LETS_CONNECT_SERVICE_HOST", "10.0.0.1"),
        ("LETS_CONNECT_SERVICE_PORT_HTTP", "8000"),
        ("LETS_CONNECT_PORT", "tcp://10.0.0.1:8000"),
        ("LETS_CONNECT_USER_PORT_8001_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(faults("", &links, &[]), Vec::<String>::new());
    assert_eq!(faults("", &[("LETS_CONNECT_HTTP_SUPPORT_X", "1")], &[]).len(), 1);
}

#[test]
fn numbers_are_read_as_toml_writes_them_and_bytes_in_binary_units() {
    let body = |text: &str| loaded(&format!("http.body_bytes_max = {text}"), &[], &[]).map(|l| l.config.http.body_bytes_max);
    assert_eq!(body("0x10_0000"), Ok(1 << 20));
    assert_eq!(body("\"1GiB\""), Ok(1 << 30));
    assert_eq!(body("\"2048\""), Ok(2048));
    assert_eq!(body("\"2048 B\""), Ok(2048));
    for refused in ["\"1 MB\"", "\"-1 MiB\"", "\"KiB\"", "\"\"", "1.5", "\"17179869185 GiB\"", "2_000_000_000", "-1"] {
        assert!(body(refused).is_err(), "{refused}");
    }
    assert!(loaded("http.connections_max = \"10\"", &[], &[]).is_err(), "a number in quotes is text");
}

#[test]
fn listeners_move_together_and_a_setting_overrides_the_move() {
    let flags = Flags { listen_port_base: Some(9000), set: vec!["listen.admin=127.0.0.1:7".to_owned()], ..Flags::default() };
    let env = vec![("LETS_CONNECT_LISTEN_CONTENT".to_owned(), "off".into()), ("LETS_CONNECT_LISTEN_SHOP".to_owned(), "0.0.0.0:1".into())];
    let loaded = load(&Sources { file: None, env, flags }, None).expect("sound");
    let addresses: Vec<String> = loaded.config.listen.addresses().iter().map(|(n, a)| format!("{n} {a}")).collect();
    assert_eq!(
        addresses,
        ["gateway 127.0.0.1:9000", "user 127.0.0.1:9001", "media 127.0.0.1:9005", "shop 0.0.0.0:9006", "admin 127.0.0.1:7"]
    );
    assert_eq!(loaded.origin("listen.shop").to_string(), "--listen-port-base");
    assert_eq!(loaded.origin("listen.content").to_string(), "LETS_CONNECT_LISTEN_CONTENT");
}

#[test]
fn the_public_address_follows_the_gateway_unless_it_is_stated() {
    let bound = "127.0.0.1:8000".parse().expect("an address");
    let url = |set: &[&str]| loaded("", &[], set).map(|loaded| loaded.config.public_url(bound));
    assert_eq!(url(&[]).as_deref(), Ok("http://localhost:8000"));
    assert_eq!(url(&["gateway.tls_cert_file=c", "gateway.tls_key_file=k"]).as_deref(), Ok("https://localhost:8000"));
    assert_eq!(url(&["gateway.public_url=https://a.example/"]).as_deref(), Ok("https://a.example"));
    for refused in ["a.example", "ftp://a.example", "https://", "https://a.example/x", "https://u:p@a.example", "/"] {
        assert!(url(&[&format!("gateway.public_url={refused}")]).is_err(), "{refused}");
    }
}

#[test]
fn zero_threads_are_one_per_core() {
    let config = Config::default();
    assert!(config.node.worker_threads() >= 1 && config.account.hashing_permits() >= 1);
    assert_eq!(Node { worker_threads: 3, ..config.node }.worker_threads(), 3);
}

#[test]
fn a_named_file_is_read_and_one_that_cannot_be_is_a_fault_beside_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.toml");
    let flags = |set: &str| Flags { config: Some(path.clone()), set: vec![set.to_owned()], ..Flags::default() };

    let missing = Loaded::from_process(flags("demo.users=x")).expect_err("no such file");
    assert_eq!(missing.as_slice().len(), 2);
    assert!(missing.to_string().contains("--config: "), "{missing}");

    fs::write(&path, "demo.seed = 7").expect("written");
    assert_eq!(Loaded::from_process(flags("demo.users=5")).expect("sound").config.demo, Demo { users: 5, seed: 7 });

    fs::write(&path, [0xFF, 0xFE]).expect("written");
    assert!(Loaded::from_process(flags("demo.users=5")).is_err());
    fs::write(&path, " ".repeat((64 << 10) + 1)).expect("written");
    assert!(Loaded::from_process(flags("demo.users=5")).expect_err("too large").to_string().contains("larger than 64 KiB"));
}

#[test]
fn the_reference_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let written = fs::read_to_string(path).expect("docs/configuration.md");
    assert!(written == reference(), "regenerate it: cargo run -- config --docs > docs/configuration.md");
}

#[test]
fn deep_and_wide_files_are_refused_without_harm() {
    let wide: String = (0..6000).map(|key| format!("a{key} = 1\n")).collect();
    let deep = [wide, "[".repeat(64_000), format!("a = {}", "[".repeat(64_000)), "a.".repeat(32_000), "x\n".repeat(32_000)];
    for text in deep {
        let faults = loaded(&text, &[], &[]).expect_err("no configuration").to_string();
        assert!(faults.len() < 20_000, "{faults}");
    }
    let long = faults(&format!("{} = 1", "k".repeat(60_000)), &[], &[]);
    assert!(long[0].len() < 300, "{}", long[0].len());
}

/// Text that often looks like a configuration: real keys, half right values, broken pieces.
fn likely_toml() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = settings().map(|setting| setting.key).collect();
    let piece = prop_oneof![
        (prop::sample::select(keys), " ?= ?", likely_value()).prop_map(|(key, equals, value)| format!("{key}{equals}{value}\n")),
        "\\[{0,2}[a-z.]{0,8}\\]{0,2}\n?",
        ".{0,12}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn likely_value() -> impl Strategy<Value = String> {
    prop_oneof!["-?[0-9_]{0,25}", "\"[^\"]{0,12}\"", "[0-9]{0,30} ?[KMGi]{0,3}B?", "0[xob][0-9a-f_]{0,20}", any::<String>()]
}

proptest! {
    #[test]
    fn no_text_anywhere_causes_a_panic(
        file in prop_oneof![likely_toml(), any::<String>()],
        env in prop::collection::vec((0..settings().count(), likely_value()), 0..4),
        odd_name in "[A-Z_a-zé]{0,20}",
        set in prop::collection::vec(prop_oneof![any::<String>(), "[a-z]{1,9}\\.[a-z_]{1,12}=.{0,9}"], 0..4),
        base in any::<Option<u16>>(),
    ) {
        let names: Vec<String> = settings().map(Setting::env).collect();
        let env = env.into_iter().map(|(at, value)| (names[at].clone(), value.into()));
        let env = env.chain([(format!("LETS_CONNECT_{odd_name}"), "1".into())]).collect();
        let file = Some(File { path: "f.toml".into(), text: file });
        let flags = Flags { set, listen_port_base: base, ..Flags::default() };
        match load(&Sources { file, env, flags }, None) {
            Ok(loaded) => prop_assert!(!loaded.to_toml().is_empty()),
            Err(faults) => prop_assert!(!faults.as_slice().is_empty() && !faults.to_string().is_empty()),
        }
    }

    #[test]
    fn whatever_loads_prints_as_the_same_configuration(
        lines in prop::collection::vec((0..settings().count(), likely_value()), 0..20),
    ) {
        let keys: Vec<&str> = settings().filter(|setting| !setting.secret).map(|setting| setting.key).collect();
        let line = |(at, value): (usize, String)| format!("{}={value}", keys[at % keys.len()]);
        let set: Vec<String> = lines.into_iter().map(line).collect();
        // Lines are tried one by one, so that one refused value does not hide the others.
        let sound: Vec<&str> = set.iter().map(String::as_str).filter(|line| loaded("", &[], &[line]).is_ok()).collect();
        if let Ok(first) = loaded("", &[], &sound) {
            prop_assert_eq!(loaded(&first.to_toml(), &[], &[]).expect("sound").config, first.config);
        }
    }
}

#[test]
fn a_bucket_is_one_url_and_its_secret_is_not_shown() {
    let bucket = |url: &str| {
        let loaded = loaded(&format!("media.storage_url = \"{url}\""), &[], &[]).ok()?;
        let bucket = loaded.config.media.storage_url.as_ref()?.expose().clone();
        assert!(!format!("{:?}", loaded.config).contains("s3cret"), "{url}");
        Some((bucket.endpoint, bucket.name, bucket.region, bucket.access_key_id, bucket.secret_access_key))
    };
    let of = |endpoint: Option<&str>, name: &str, region: &str| {
        Some((endpoint.map(str::to_owned), name.to_owned(), region.to_owned(), "key".to_owned(), "s3cret/+".to_owned()))
    };
    let here = bucket("http://key:s3cret%2F%2B@127.0.0.1:9000/media");
    assert_eq!(here, of(Some("http://127.0.0.1:9000"), "media", "us-east-1"));
    assert_eq!(bucket("s3://key:s3cret%2F%2B@media?region=eu-central-1"), of(None, "media", "eu-central-1"));
    for refused in [
        "https://host/media",
        "https://key@host/media",
        "https://key:s3cret@host",
        "https://key:@host/media",
        "s3://key:s3cret@media/x",
        "ftp://a:b@c/d",
        "",
    ] {
        assert_eq!(bucket(refused), None, "{refused}");
    }
}

#[test]
fn where_caches_are_told_is_one_url_and_its_token_is_not_shown() {
    let purge = |url: &str| {
        let loaded = loaded(&format!("media.cache_purge_url = \"{url}\""), &[], &[]).ok()?;
        let purge = loaded.config.media.cache_purge_url.as_ref()?.clone();
        assert!(!format!("{:?}", loaded.config).contains("s3cret"), "{url}");
        Some((purge.url().to_owned(), purge.expose_token().map(str::to_owned)))
    };
    let of = |url: &str, token: Option<&str>| Some((url.to_owned(), token.map(str::to_owned)));
    assert_eq!(purge("http://s3cret@127.0.0.1:6081"), of("http://127.0.0.1:6081/", Some("s3cret")));
    assert_eq!(purge("https://cache.example.org/purge?zone=1"), of("https://cache.example.org/purge?zone=1", None));
    for refused in
        ["ftp://cache.example.org/", "http://user:s3cret@cache.example.org/", "http://@cache.example.org/", "cache.example.org", ""]
    {
        assert_eq!(purge(refused), None, "{refused}");
    }
}

#[test]
fn a_collector_is_spoken_to_as_its_address_says() {
    let collector = |url: &str| {
        let loaded = loaded(&format!("traces.url = \"{url}\""), &[], &[]).ok()?;
        let collector = loaded.config.traces.url.as_ref()?.clone();
        assert!(!format!("{collector:?}").contains("s3cret") && !loaded.to_toml().contains("s3cret"));
        Some((collector.is_grpc(), collector.url().to_owned(), collector.expose_token().map(str::to_owned)))
    };
    let of = |is_grpc, url: &str, token: Option<&str>| Some((is_grpc, url.to_owned(), token.map(str::to_owned)));
    assert_eq!(collector("http://collector:4318"), of(false, "http://collector:4318/v1/traces", None));
    assert_eq!(collector("https://s3cret@example.org/otlp/v1/traces"), of(false, "https://example.org/otlp/v1/traces", Some("s3cret")));
    assert_eq!(collector("grpc://collector:4317"), of(true, "http://collector:4317", None));
    assert_eq!(collector("grpcs://s3cret@collector:4317/"), of(true, "https://collector:4317", Some("s3cret")));
    for refused in ["collector:4317", "ftp://collector", "grpc://collector:4317/path", "http://user:s3cret@collector", "http://@collector"]
    {
        assert_eq!(collector(refused), None, "{refused}");
    }
}

#[test]
fn one_core_is_left_to_what_else_a_node_does_than_images() {
    let roles = |names: &[Role]| [1, 2, 8].map(|cores| image_workers(names, cores));
    assert_eq!(roles(&[Role::Media]), [1, 2, 8]);
    for more in [&[Role::Edge, Role::Entity, Role::Media][..], &[Role::Edge, Role::Media], &[Role::Entity, Role::Media]] {
        assert_eq!(roles(more), [1, 1, 7], "{more:?}");
    }
    assert_eq!(loaded("", &[], &["media.workers=7"]).expect("sound").config.image_workers(), 7);
}

#[test]
fn a_quota_of_nothing_is_none() {
    let quota = |set: &[&str]| loaded("", &[], set).expect("sound").config.media.quota();
    assert_eq!(quota(&["media.quota_bytes=0", "media.quota_files=0"]), protocol::file::Quota::NONE);
    let default = quota(&[]);
    assert_eq!((default.bytes_max, default.files_max), (10 << 30, 100_000));
}
