//! The node key: kept over restarts, never readable by others, never lost.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hypasis_proxy::config::Config;
use hypasis_proxy::p2p::key::{KeyError, KeyFile, announced_ip};
use tempfile::{TempDir, tempdir};

/// The key of EIP-778's example record, and the id and endpoint that the record says.
const EXAMPLE_KEY: &str = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291";
const EXAMPLE_ID: &str = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f";
/// The record itself, without a TCP port.
const EXAMPLE_RECORD: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";

#[test]
fn the_key_is_made_once_with_mode_0600_and_kept() {
    let (dir, file) = place(None);
    let key = file.load_or_make().unwrap();
    assert_eq!(file.path(), dir.path().join("data/nodekey"));
    assert_eq!(mode(file.path()), 0o600);
    assert_eq!(fs::read_to_string(file.path()).unwrap(), hex(&key));
    assert_eq!(file.load_or_make().unwrap(), key);
    assert_eq!(names(&dir), ["nodekey"], "no draft stays");
}

#[test]
fn two_keys_differ_and_a_debug_print_shows_neither() {
    let ((_a, first), (_b, second)) = (place(None), place(None));
    let (first, second) = (first.make().unwrap(), second.make().unwrap());
    assert_ne!(first, second);
    let printed = format!("{first:?}");
    assert!(printed.contains(&format!("{:x}", first.id())) && !printed.contains(&hex(&first)), "{printed}");
}

#[test]
fn what_geth_writes_is_taken() {
    let (_dir, file) = place(None);
    for text in
        [EXAMPLE_KEY.to_owned(), format!("{EXAMPLE_KEY}\n"), format!("0x{}\n", EXAMPLE_KEY.to_uppercase())]
    {
        write(file.path(), &text, 0o600);
        let key = file.load().unwrap();
        assert_eq!(format!("{:x}", key.id()), EXAMPLE_ID, "{text:?}");
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(key.enode(ip, 30303, 30303), format!("enode://{EXAMPLE_ID}@127.0.0.1:30303"));
        assert_eq!(
            key.enode(ip, 30303, 30301),
            format!("enode://{EXAMPLE_ID}@127.0.0.1:30303?discport=30301")
        );
    }
}

#[test]
fn the_record_says_who_and_where_and_is_signed() {
    let (_dir, file) = place(None);
    write(file.path(), EXAMPLE_KEY, 0o600);
    let key = file.load().unwrap();
    let published: enr::Enr<enr::CombinedKey> = EXAMPLE_RECORD.parse().unwrap();
    let record = key.record([127, 0, 0, 1].into(), 40404, 30303).unwrap();
    assert_eq!(record.public_key(), published.public_key());
    assert_eq!((record.ip4(), record.udp4()), (published.ip4(), published.udp4()));
    assert_eq!((record.tcp4(), record.seq()), (Some(40404), 1));
    assert!(record.verify());
    let six = key.record("2001:db8::1".parse().unwrap(), 1, 2).unwrap();
    assert_eq!(
        (six.ip6().map(IpAddr::from), six.tcp6(), six.udp6(), six.ip4()),
        (Some("2001:db8::1".parse().unwrap()), Some(1), Some(2), None)
    );
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_way_out() {
    let (_dir, file) = place(None);
    for bad in [0o640, 0o604, 0o660, 0o777, 0o610] {
        write(file.path(), EXAMPLE_KEY, bad);
        let error = file.load_or_make().unwrap_err();
        assert!(matches!(error, KeyError::Readable { mode, .. } if mode == bad), "{error}");
        let path = file.path().display();
        assert!(error.to_string().contains(&format!("(mode {bad:03o}); run `chmod 600 {path}`")), "{error}");
    }
    write(file.path(), EXAMPLE_KEY, 0o400);
    file.load().unwrap();
}

#[test]
fn what_is_no_key_is_never_replaced() {
    let (_dir, file) = place(None);
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for (text, why) in [
        (String::new(), "it has 0 characters"),
        (EXAMPLE_KEY[1..].to_owned(), "it has 63 characters"),
        ("z".repeat(64), "other characters than hex digits"),
        ("é".repeat(32), "other characters than hex digits"),
        ("0".repeat(64), "zero or beyond the curve's order"),
        (order.to_owned(), "zero or beyond the curve's order"),
        ("a".repeat(1 << 20), "more than 4096 bytes"),
    ] {
        write(file.path(), &text, 0o600);
        for error in [file.load_or_make().unwrap_err(), file.rotate().unwrap_err()] {
            assert!(matches!(error, KeyError::NoKey { .. }) && error.to_string().contains(why), "{error}");
        }
        assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
    }
    fs::write(file.path(), [0xff, 0xfe, 0x00]).unwrap();
    assert!(file.load().unwrap_err().to_string().contains("it is not text"));
}

#[test]
fn new_refuses_to_overwrite_and_show_makes_nothing() {
    let (dir, file) = place(None);
    let error = file.load().unwrap_err().to_string();
    assert!(error.contains("there is no node key at") && error.contains("hypasis key new"), "{error}");
    assert!(!dir.path().join("data").exists());
    let key = file.make().unwrap();
    let error = file.make().unwrap_err().to_string();
    assert!(error.contains("is there already") && error.contains("key rotate"), "{error}");
    assert_eq!(file.load().unwrap(), key);
    assert_eq!(names(&dir), ["nodekey"]);
}

#[test]
fn rotation_keeps_the_old_key_beside_the_new_under_its_date() {
    let (dir, file) = place(None);
    assert!(matches!(file.rotate().unwrap_err(), KeyError::Missing(_)));
    let first = file.make().unwrap();
    let (second, old) = file.rotate().unwrap();
    assert_ne!(first, second);
    assert_eq!(file.load().unwrap(), second);
    assert_eq!((fs::read_to_string(&old).unwrap(), mode(&old)), (hex(&first), 0o600));
    let date = old.file_name().unwrap().to_str().unwrap().strip_prefix("nodekey.").unwrap().to_owned();
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99T99-99-99Z", "{date}");
    assert_eq!(names(&dir).len(), 2);
}

#[test]
fn what_an_interrupted_write_left_does_not_stop_the_next() {
    let (dir, file) = place(None);
    write(&dir.path().join("data/nodekey.0123456789abcdef.draft"), "half", 0o644);
    let key = file.load_or_make().unwrap();
    assert_eq!((mode(file.path()), file.load().unwrap()), (0o600, key));
    assert_eq!(names(&dir), ["nodekey", "nodekey.0123456789abcdef.draft"]);
}

#[test]
fn of_many_that_make_the_key_at_once_each_gets_the_one_that_stays() {
    for _ in 0..50 {
        let (dir, file) = place(None);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| file.load_or_make().unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        let kept = file.load().unwrap();
        assert!(keys.iter().all(|key| *key == kept));
        assert_eq!((names(&dir), mode(file.path())), (vec!["nodekey".to_owned()], 0o600));
    }
}

#[test]
fn a_plain_key_that_is_rotated_with_a_passphrase_does_not_stay_plain_beside_the_new_one() {
    let (dir, file) = place(None);
    let first = file.make().unwrap();
    let file = KeyFile::of(&config(&dir, Some("secret")));
    let (second, old) = file.rotate().unwrap();
    assert_eq!((file.load().unwrap(), names(&dir).len(), mode(&old)), (second, 2, 0o600));
    for path in [old.as_path(), file.path()] {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("-----BEGIN ENCRYPTED") && !text.contains(&hex(&first)),
            "{}",
            path.display()
        );
    }
    fs::rename(&old, file.path()).unwrap();
    assert_eq!(file.load().unwrap(), first, "it can be put back");
}

#[test]
fn a_passphrase_encrypts_the_key_at_rest() {
    let (dir, file) = place(Some("correct horse\n"));
    let key = file.load_or_make().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    assert!(!text.contains(&hex(&key)));
    assert_eq!((mode(file.path()), file.load_or_make().unwrap()), (0o600, key));
    let (second, old) = file.rotate().unwrap();
    assert!(fs::read_to_string(old).unwrap().starts_with("-----BEGIN ENCRYPTED"));
    assert_eq!(file.load().unwrap(), second);
    let error = KeyFile::of(&config(&dir, None)).load_or_make().unwrap_err();
    assert!(error.to_string().contains("is encrypted; name the file of its passphrase"), "{error}");
    fs::write(dir.path().join("passphrase"), "battery staple").unwrap();
    let error = file.load_or_make().unwrap_err();
    assert!(matches!(error, KeyError::Passphrase { .. }), "{error}");
    fs::write(dir.path().join("passphrase"), "correct horse").unwrap();
    assert_eq!(file.load().unwrap(), second, "the line's end is no part of a passphrase");
}

#[test]
fn a_plain_key_is_encrypted_at_the_first_run_with_a_passphrase() {
    let (dir, file) = place(None);
    write(file.path(), EXAMPLE_KEY, 0o600);
    let file = KeyFile::of(&config(&dir, Some("secret")));
    let key = file.load().unwrap();
    assert_eq!(fs::read_to_string(file.path()).unwrap(), EXAMPLE_KEY, "looking changes nothing");
    assert_eq!(file.load_or_make().unwrap(), key);
    assert!(fs::read_to_string(file.path()).unwrap().starts_with("-----BEGIN ENCRYPTED"));
    assert_eq!((file.load().unwrap(), names(&dir)), (key, vec!["nodekey".to_owned()]));
}

#[test]
fn a_damaged_encrypted_key_is_an_error_at_every_byte() {
    let (_dir, file) = place(Some("secret"));
    let key = file.make().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    // Each attempt costs an scrypt, so that not every place is tried.
    for place in (0..text.len()).step_by(text.len() / 12) {
        let mut damaged = text.clone().into_bytes();
        damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
        write(file.path(), std::str::from_utf8(&damaged).unwrap(), 0o600);
        assert!(file.load().is_err_and(|error| !error.to_string().contains(&hex(&key))), "byte {place}");
    }
}

#[test]
fn the_announced_address_is_one_that_can_be_dialled() {
    let mut config = Config::default().p2p;
    for (listen, external, announced) in [
        ("127.0.0.1:1", None, "127.0.0.1"),
        ("0.0.0.0:1", None, "127.0.0.1"),
        ("[::]:1", None, "::1"),
        ("192.0.2.1:1", None, "192.0.2.1"),
        ("0.0.0.0:1", Some("203.0.113.5"), "203.0.113.5"),
    ] {
        config.listen = listen.parse().unwrap();
        config.external_ip = external.map(|ip| ip.parse().unwrap());
        assert_eq!(announced_ip(&config).to_string(), announced);
    }
}

/// A folder, and where its key lies.
fn place(passphrase: Option<&str>) -> (TempDir, KeyFile) {
    let dir = tempdir().unwrap();
    let file = KeyFile::of(&config(&dir, passphrase));
    (dir, file)
}

fn config(dir: &TempDir, passphrase: Option<&str>) -> Config {
    let mut config = Config::default();
    config.store.data_dir = dir.path().join("data");
    config.p2p.key_passphrase_file = passphrase.map(|text| {
        let path = dir.path().join("passphrase");
        fs::write(&path, text).unwrap();
        path
    });
    config
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &TempDir) -> Vec<String> {
    let paths =
        fs::read_dir(dir.path().join("data")).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name()));
    let mut names: Vec<_> = paths.map(|name| name.to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn hex(key: &hypasis_proxy::p2p::key::NodeKey) -> String {
    const_hex::encode(key.secret().secret_bytes())
}
