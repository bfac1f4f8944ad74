//! The configuration: layers in order, errors with their place and the way out, no secret shown.

mod checkpoint;

use std::fs;
use std::path::PathBuf;

use hypasis_proxy::config::{
    CheckpointSource, Config, ConfigError, Origin, Period, Role, Size, default_text, load, schema, show,
};
use tempfile::TempDir;
use toml::Table;

fn load_text(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hypasis.toml");
    fs::write(&path, text).unwrap();
    load(Some(&path), Table::new(), std::iter::empty())
}

/// The text of the error, with the folder cut off.
fn error_of(text: &str) -> String {
    let error = load_text(text).expect_err(text).to_string();
    error.rsplit_once("/hypasis.toml").map_or(error.clone(), |(_, rest)| format!("hypasis.toml{rest}"))
}

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load(None, Table::new(), env(pairs))
}

fn folder(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let path = dir.path().join("hypasis.toml");
    (dir, path)
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(load(None, Table::new(), std::iter::empty()).unwrap(), Config::default());
    assert_eq!(load_text("").unwrap(), Config::default());
}

#[test]
fn each_layer_goes_over_the_one_before() {
    let (_dir, path) = folder(&[
        (
            "hypasis.toml",
            "[rpc]\nmax_batch = 1\nmax_connections = 1\nlogs_range_max = 1\npin_tags = true\nhosts = ['a']",
        ),
        ("conf.d/10.toml", "[rpc]\nmax_connections = 2\nlogs_range_max = 2\nallow = ['x_*']"),
        ("conf.d/20.toml", "[rpc]\nlogs_range_max = 3"),
        ("conf.d/ignored.conf", "nonsense ["),
    ]);
    let flags: Table = "[rpc]\npin_tags = false".parse().unwrap();
    let pairs = [
        ("HYPASIS__RPC__MAX_BATCH", "7"),
        ("HYPASIS__RPC__PIN_TAGS", "true"),
        ("HOME", "/"),
        ("HYPASIS_X", ""),
    ];
    let rpc = load(Some(&path), flags, env(&pairs)).unwrap().rpc;
    assert_eq!((rpc.max_batch, rpc.max_connections, rpc.logs_range_max, rpc.pin_tags), (7, 2, 3, false));
    assert_eq!((rpc.hosts, rpc.allow), (vec!["a".to_owned()], vec!["x_*".to_owned()]));
    assert_eq!(rpc.max_body, Config::default().rpc.max_body);
}

#[test]
fn conf_d_may_bring_upstreams_and_change_one_by_its_id_and_flags_replace_them() {
    let (_dir, path) = folder(&[
        ("hypasis.toml", "[[upstream]]\nid = 'a'\nurl = 'http://a:1'\n[[upstream]]\nurl = 'http://b:1'"),
        (
            "conf.d/c.toml",
            "[[upstream]]\nid = 'a'\nrole = 'backup'\n[[upstream]]\nid = 'c'\nurl = '/archive'",
        ),
    ]);
    let config = load(Some(&path), Table::new(), std::iter::empty()).unwrap();
    let seen: Vec<_> = config.upstream.iter().map(|u| (u.id.as_str(), u.url.as_str(), u.role)).collect();
    assert_eq!(
        seen,
        [
            ("a", "http://a:1", Role::Backup),
            ("upstream-2", "http://b:1", Role::Primary),
            ("c", "/archive", Role::Primary)
        ]
    );
    let flags: Table = "upstream = [{ url = 'dev:' }]".parse().unwrap();
    let config = load(Some(&path), flags, std::iter::empty()).unwrap();
    assert_eq!(config.upstream.iter().map(|u| u.url.as_str()).collect::<Vec<_>>(), ["dev:"]);
}

#[test]
fn the_environment_is_read_as_toml_where_that_fits_and_as_text_otherwise() {
    let config = from_env(&[
        ("HYPASIS__RPC__LISTEN", "0.0.0.0:9545"),
        ("HYPASIS__STORE__MEMORY", "2GiB"),
        ("HYPASIS__RPC__ALLOW", "['debug_*', \"admin_*\"]"),
        ("HYPASIS__SYNC__BACKWARD__OLDEST", "-1000"),
        ("HYPASIS__RPC__SHADOW_SHARE", "0.5"),
        ("HYPASIS__CHAIN__NAME", "\"dev\""),
        ("HYPASIS__STORE__DATA_DIR", "1234"),
        ("HYPASIS__SHUTDOWN_GRACE", "5s"),
        ("HYPASIS__UPSTREAM", "[{ url = 'http://n:1' }]"),
    ])
    .unwrap();
    assert_eq!(config.rpc.listen.to_string(), "0.0.0.0:9545");
    assert_eq!((config.store.memory, config.sync.backward.oldest), (Size(2 << 30), -1_000));
    assert_eq!((config.rpc.allow.len(), config.rpc.shadow_share), (2, 0.5));
    assert_eq!(config.chain.name.as_deref(), Some("dev"));
    assert_eq!(config.store.data_dir, PathBuf::from("1234"), "a number where a path is wanted is a path");
    assert_eq!((config.shutdown_grace, config.upstream.len()), (Period::secs(5), 1));
}

#[test]
fn errors_of_the_environment_name_the_variable() {
    let error = from_env(&[("HYPASIS__RPC__LISTN", "x")]).unwrap_err();
    assert_eq!(error.origin, Some(Origin::Env("HYPASIS__RPC__LISTN".into())));
    assert!(error.to_string().contains("did you mean `listen`?"), "{error}");
    let error = from_env(&[("HYPASIS__RPC__MAX_BATCH", "many")]).unwrap_err().to_string();
    assert!(error.starts_with("environment variable HYPASIS__RPC__MAX_BATCH: "), "{error}");
    let error = from_env(&[("HYPASIS__RPC__MAX_BATCH", "0")]).unwrap_err().to_string();
    assert!(
        error.starts_with("environment variable HYPASIS__RPC__MAX_BATCH: `rpc.max_batch` is 0"),
        "{error}"
    );
}

#[test]
fn unknown_keys_are_errors_with_place_and_suggestion() {
    for (text, expected) in [
        ("[rpc]\n  listn = 'x'", "hypasis.toml:2:3: there is no setting `rpc.listn`; did you mean `listen`?"),
        ("[sotre]", "hypasis.toml:1:2: there is no setting `sotre`; did you mean `store`?"),
        (
            "[sync.backwards]\nworkers = 1",
            "hypasis.toml:1:7: there is no setting `sync.backwards`; did you mean `backward`?",
        ),
        (
            "[[upstream]]\nurl = 'a'\n[[upstream]]\nulr = 'b'",
            "hypasis.toml:4:1: there is no setting `upstream.ulr`; did you mean `url`?",
        ),
        ("admin.xyzzy = 1", "hypasis.toml:1:7: there is no setting `admin.xyzzy`; there are `listen`"),
        (
            "[auth]\nenabled = false",
            "hypasis.toml:1:2: `auth` is not built yet; remove it; a later version has it",
        ),
        (
            "[checkpoint]\nsource = 'beacon'",
            "hypasis.toml:2:1: `checkpoint.source = \"beacon\"` is not built yet; a later version has it",
        ),
        (
            "checkpoint.beacon_urls = []",
            "hypasis.toml:1:12: `checkpoint.beacon_urls` is not built yet; remove it; a later version has it",
        ),
    ] {
        assert_eq!(error_of(text), expected);
    }
}

#[test]
fn text_that_is_no_toml_and_values_of_a_wrong_type_have_their_place() {
    for (text, place, what) in [
        ("[rpc]\nmax_batch = = 1", "hypasis.toml:2:1", "no TOML"),
        ("a = 1\na = 2", "hypasis.toml:2:1", "no TOML: duplicate key"),
        ("[rpc]\nmax_batch = 'x'", "hypasis.toml:2:13", "invalid type"),
        ("[rpc]\n\nlisten = 'nowhere'", "hypasis.toml:3:10", "socket address"),
        ("[store]\nmemory = '5 parsecs'", "hypasis.toml:2:10", "is no size: write it like \"2GiB\""),
        ("[store]\nmemory = true", "hypasis.toml:2:10", "a size like \"2GiB\""),
        ("[dev]\nperiod = 'soon'", "hypasis.toml:2:10", "is no time: write it like \"500ms\" or \"1h\""),
        ("[sync.forward]\nvalidation = 'ful'", "hypasis.toml:2:14", "`full`"),
        ("upstream = 3", "hypasis.toml:1:12", "invalid type"),
        ("[checkpoint]\nhash = '0x12'", "hypasis.toml:2:8", ""),
    ] {
        let error = error_of(text);
        assert!(error.starts_with(place) && error.contains(what), "{text}: {error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_where_they_stand() {
    for (text, place, what) in [
        ("[sync.backward]\nbatch_size = 0", "2:1", "`sync.backward.batch_size` is 0; it must be 1 to"),
        ("[sync.backward]\nworkers = 0", "2:1", "it must be 1 to 256"),
        ("[sync.forward]\nworkers = 100000", "2:1", "it must be 1 to 256"),
        ("[rpc]\nshadow_share = 1.5", "2:1", "it must be 0 to 1"),
        ("[rpc]\nshadow_share = nan", "2:1", "it must be 0 to 1"),
        ("[rpc]\nmax_body = 0", "2:1", "at least"),
        ("[rpc]\ntimeout = 0", "2:1", "it must be more"),
        ("[rpc]\nmax_in_flight = '1MiB'", "2:1", "one request or answer may already have 25MiB"),
        ("[admin]\nlisten = '127.0.0.1:8545'", "2:1", "give it another port"),
        ("[store]\nmemory = '1MiB'", "2:1", "at least 32MiB"),
        ("[store]\ntip_blocks_max = 10", "2:1", "`store.finality_depth`, 1024"),
        ("[dev]\ntransactions = 501", "2:1", "at most 500"),
        ("[log]\nlevel = 'a=b=c'", "2:1", "which is no filter"),
        ("[chain]\nname = 'ethereun'", "2:1", "did you mean `ethereum`?"),
        ("[chain]\nname = 'bsc'", "2:1", "not built in yet"),
        ("[chain]\nname = 'dev'\ngenesis = 'g.json'", "3:1", "remove one of them"),
        (
            "[checkpoint]\nsource = 'static'\nnumber = 5",
            "2:1",
            "needs `checkpoint.number` and `checkpoint.hash`",
        ),
        ("[checkpoint]\nnumber = 5", "2:1", "source = \"static\""),
        ("[[upstream]]\nid = 'a'", "1:1", "has no `url`"),
        ("[[upstream]]\nurl = 'wss://n'", "2:1", "`wss` URLs are known but not built yet"),
        ("[[upstream]]\nurl = 's3://bucket'", "2:1", "`s3` URLs are known but not built yet"),
        ("[[upstream]]\nurl = 'gopher://n'", "2:1", "`gopher` URLs are not known"),
        ("[[upstream]]\nurl = 'http://'", "2:1", "the URL cannot be read"),
        ("[[upstream]]\nurl = 'dev:x'", "2:1", "`dev:`"),
        ("[[upstream]]\nurl = 'dev:'\nid = 'a b'", "3:1", "the id \"a b\""),
        ("[[upstream]]\nurl = 'dev:'\nrate_limit = 0", "3:1", "remove it for no limit"),
        (
            "[[upstream]]\nurl = 'http://a'\nid = 'x'\n[[upstream]]\nurl = 'http://b'\nid = 'x'",
            "6:1",
            "both have the id `x`",
        ),
        ("[[upstream]]\nurl = 'http://a'\n[[upstream]]\nurl = 'http://a'", "4:1", "have the same URL"),
        (
            "[[upstream]]\nurl = 'http://a'\nheaders = { host = 'x' }",
            "3:13",
            "the header `host` cannot be set",
        ),
        ("[[upstream]]\nurl = 'http://a'\nheaders.x = '@/does/not/exist'", "3:9", "/does/not/exist"),
    ] {
        let error = error_of(text);
        assert!(
            error.starts_with(&format!("hypasis.toml:{place}: ")) && error.contains(what),
            "{text}: {error}"
        );
    }
}

#[test]
fn what_is_allowed_loads() {
    let config = load_text(
        "[chain]\nname = 'sepolia'\n[sync.backward]\noldest = -5000\n[checkpoint]\nsource = 'static'\nnumber = 5\n\
         hash = '0x1111111111111111111111111111111111111111111111111111111111111111'\n\
         [[upstream]]\nurl = './relative/dir'\n[[upstream]]\nurl = 'file:///abs'\n[[upstream]]\nurl = 'https://h/p?q'\n\
         [dev]\nperiod = '250ms'\n[rpc]\nlisten = '[::1]:0'\nshadow_share = 1",
    )
    .unwrap();
    assert_eq!((config.checkpoint.source, config.checkpoint.number), (CheckpointSource::Static, Some(5)));
    assert_eq!(config.upstream.iter().map(|u| u.scheme()).collect::<Vec<_>>(), ["file", "file", "https"]);
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Some("/no/such/hypasis.toml".as_ref()), Table::new(), std::iter::empty()).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/hypasis.toml: "), "{error}");
}

#[test]
fn a_header_value_may_lie_in_a_file() {
    let (dir, path) = folder(&[("token", "Bearer abc\n")]);
    let token = dir.path().join("token");
    let text = format!("[[upstream]]\nurl = 'http://a'\nheaders.authorization = '@{}'", token.display());
    fs::write(&path, text).unwrap();
    let config = load(Some(&path), Table::new(), std::iter::empty()).unwrap();
    let values = config.upstream[0].header_values().unwrap();
    assert_eq!(values, [("authorization".to_owned(), "Bearer abc".to_owned())]);
    assert!(show(&config).contains(token.to_str().unwrap()) && !show(&config).contains("abc"));
}

#[test]
fn what_is_shown_has_no_secrets_and_is_a_configuration() {
    let config = load_text(
        "[[upstream]]\nurl = 'https://user:pass1@node.example:8443/v3/0123456789abcdef0123456789abcdef?key=pass2'\n\
         headers = { x-key = 'pass3' }\n[[upstream]]\nurl = '/archive'",
    )
    .unwrap();
    let shown = show(&config);
    for secret in ["user", "pass1", "pass2", "pass3", "0123456789abcdef"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(
        shown.contains("https://***@node.example:8443/v3/***?***") && shown.contains("/archive"),
        "{shown}"
    );
    assert_eq!(load_text(&show(&Config::default())).unwrap(), Config::default());
}

#[test]
fn the_default_text_loads_to_the_defaults_and_explains_every_setting() {
    let text = default_text();
    assert_eq!(load_text(&text).unwrap(), Config::default(), "{text}");
    for section in [
        "[chain]",
        "[store]",
        "# [[upstream]]",
        "[checkpoint]",
        "[sync.backward]",
        "[rpc]",
        "[p2p]",
        "[admin]",
        "[dev]",
    ] {
        assert_eq!(text.lines().filter(|line| *line == section).count(), 1, "{section} in {text}");
    }
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        let is_setting =
            pair[1].trim_start_matches("# ").split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        assert!(!is_setting || pair[0].starts_with("# "), "no comment before {}", pair[1]);
    }
    assert!(text.find("[chain]") < text.find("[store]") && text.find("[store]") < text.find("[rpc]"));
    assert!(text.find("\nlisten =") < text.find("\nmax_body ="), "in the order of the type");
}

#[test]
fn what_the_default_text_comments_out_are_settings_too() {
    for line in default_text().lines().filter_map(|line| line.strip_prefix("# ")) {
        let is_setting = line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        if is_setting {
            let known =
                ["chain", "store", "checkpoint", "p2p"].iter().map(|section| format!("[{section}]\n{line}"));
            let errors: Vec<_> = known
                .chain([format!("[[upstream]]\n{line}")])
                .filter_map(|text| load_text(&text).err())
                .filter(|error| error.problem.starts_with("there is no setting"))
                .collect();
            assert_eq!(errors.len(), 4, "{line} belongs to one section: {errors:?}");
        }
    }
}

#[test]
fn the_schema_is_json_schema_of_every_section() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    for section in ["chain", "store", "upstream", "checkpoint", "sync", "rpc", "p2p", "admin", "dev", "log"] {
        assert!(properties.contains_key(section), "{section}");
    }
    assert_eq!(schema["additionalProperties"], false);
}
