//! Records of trees, sound and forged. The sound ones are the example zone of EIP-1459.

use super::*;

const URL: &str = "enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@nodes.example.org";
const OTHER: &str = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org";
const ROOT: &str = "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 \
                    sig=o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA";
const BRANCH: &str = "enrtree-branch:2XS2367YHAXJFGLZHVAWLQD4ZY,H4FHT4B454P6UXFD7JCYQ5PWDY,\
                      MHTDO6TMUBRIA2XWG5LUDACK24";
const NODE: &str = "enr:-HW4QOFzoVLaFJnNhbgMoDXPnOvcdVuj7pDpqRvh6BRDO68aVi5ZcjB3vzQRZH2IcLBGHzo8uUN3snqmgTiE56CH3\
                    AMBgmlkgnY0iXNlY3AyNTZrMaECC2_24YYkYHEgdzxlSNKQEnHhuNAbNlMlWJxrJxbAFvA";

fn url() -> TreeUrl {
    URL.parse().unwrap()
}

#[test]
fn the_example_of_the_specification_is_read() {
    let root = Root::read(ROOT, &url()).unwrap();
    assert_eq!((root.nodes.as_str(), root.sequence), ("JWXYDBPXYWG6FX3GMDIBFA6CJ4", 1));
    assert_eq!(Entry::read(OTHER, &root.links).unwrap(), Entry::Link(OTHER.parse().unwrap()));
    let Entry::Branch(names) = Entry::read(BRANCH, &root.nodes).unwrap() else { panic!("no branch") };
    assert_eq!(names.len(), 3);
    let Entry::Node(enr) = Entry::read(NODE, &names[0]).unwrap() else { panic!("no node") };
    assert_eq!(enr.to_base64(), NODE);
    assert_eq!(url().to_string(), URL);
}

#[test]
fn a_root_that_the_lists_key_did_not_sign_is_none() {
    let other = TreeUrl { key: OTHER.parse::<TreeUrl>().unwrap().key, ..url() };
    assert_eq!(Root::read(ROOT, &other).unwrap_err(), EntryError::Signature);
    let newer = ROOT.replace("seq=1", "seq=2");
    assert_eq!(Root::read(&newer, &url()).unwrap_err(), EntryError::Signature);
    let (signed, _) = ROOT.rsplit_once("sig=").unwrap();
    for signature in
        ["", "AAAA", "o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a46"]
    {
        assert_eq!(
            Root::read(&format!("{signed}sig={signature}"), &url()).unwrap_err(),
            EntryError::Signature
        );
    }
    for text in
        ["", "enrtree-root:v2 e=A l=A seq=1 sig=AA", "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 sig=A"]
    {
        assert_eq!(Root::read(text, &url()).unwrap_err(), EntryError::Root, "{text}");
    }
}

#[test]
fn a_record_under_another_name_is_none_and_names_are_hashes() {
    let name = "2XS2367YHAXJFGLZHVAWLQD4ZY";
    assert_eq!(Entry::read(BRANCH, name).unwrap_err(), EntryError::Hash);
    assert_eq!(Entry::read(BRANCH, "no.hash").unwrap_err(), EntryError::Name);
    let named = |text: &str| {
        let hash = alloy_primitives::keccak256(text);
        let name = data_encoding::BASE32_NOPAD.encode(&hash[..16]);
        Entry::read(text, &name)
    };
    assert_eq!(named("enrtree-branch:AAAA").unwrap_err(), EntryError::Name, "too short to be safe");
    let many = format!("enrtree-branch:{}", vec![name; 65].join(","));
    assert_eq!(named(&many).unwrap_err(), EntryError::Branch);
    assert_eq!(named("enrtree-branch:").unwrap(), Entry::Branch(Vec::new()));
    assert_eq!(named("whatever").unwrap_err(), EntryError::Kind);
    assert!(matches!(named("enr:AAAA").unwrap_err(), EntryError::Node(_)));
    assert!(matches!(named("enrtree://AAAA@b").unwrap_err(), EntryError::Link(_)));
}

#[test]
fn urls_are_a_scheme_a_key_and_a_name() {
    let key = "AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2";
    for text in [
        format!("http://{key}@a.b"),
        format!("enrtree://{key}"),
        "enrtree://AAAA@a.b".to_owned(),
        format!("enrtree://{}@a.b", key.to_lowercase()),
        format!("enrtree://{key}@a..b"),
        format!("enrtree://{key}@a b"),
        format!("enrtree://{key}@{}", "a.".repeat(200)),
    ] {
        assert!(text.parse::<TreeUrl>().is_err(), "{text}");
    }
    let url: TreeUrl = format!("enrtree://{key}@Nodes.Example.ORG.").parse().unwrap();
    assert_eq!(url.to_string(), format!("enrtree://{key}@nodes.example.org"));
}
