//! Polygon's side of it: chains in Bor's form, whose seals and spans stand for what the root on L1 does not cover.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, keccak256};
use hypasis_chain::bor::checkpoint;
use hypasis_chain::dev::bor::{BorOptions, block_rlp};
use hypasis_chain::{Block, Header};
use hypasis_tests::anvil::Anvil;
use hypasis_tests::appliance::Appliance;
use hypasis_tests::bor::{Milestone, Minted};
use hypasis_tests::l1::{L1Endpoint, RootChain};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{FINALITY, LIMIT, covered, metric, page};

/// Where the parent hash and the state root stand in a header: behind three bytes of the list's length, each hash
/// behind one byte of its own length, after parent hash, uncles hash and beneficiary.
const PARENT: std::ops::Range<usize> = 4..36;
const STATE_ROOT: std::ops::Range<usize> = 91..123;

#[test]
fn a_chain_in_bors_form_is_anchored_and_follows_heimdall() {
    // An archive has no receipts: its blocks become history, below a milestone.
    let Some(scene) = Scene::new(3_000) else { return };
    let (anvil, minted) = (&scene.anvil, &scene.minted);
    let contract = RootChain::deploy(anvil);
    contract.submit(scene.root(1, 256), 1..=256);
    anvil.mine(FINALITY);
    let heimdall = minted.heimdall();
    heimdall.milestone(Some(Milestone { number: 2_900, hash: scene.blocks[2_899].id.hash }));
    let honest = scene.archive("honest", &scene.blocks);
    let endpoints = [(); 2].map(|()| L1Endpoint::before(anvil.address));
    let config = scene.config(&contract, &endpoints, &heimdall.url());
    let mut appliance = scene.start(&config, &[&honest]);
    appliance.until(|_, admin| page(admin)["number"] == 256, LIMIT, "to trust the checkpoint");
    assert_eq!(page(appliance.admin)["hash"], json!(scene.blocks[255].id.hash));
    contract.submit(scene.root(257, 512), 257..=512);
    anvil.mine(FINALITY);
    covered(&mut appliance, 512);
    let milestone = |admin| page(admin)["heimdall"]["milestone"]["end_block"].clone();
    appliance.until(|_, admin| milestone(admin) == 2_900, LIMIT, "to hear of the milestone");
    let page = page(appliance.admin);
    assert!(!page["heimdall"]["spans"].as_array().unwrap().is_empty(), "{page}");
    assert_eq!(page["heimdall"]["trouble"], Value::Null);
    assert_eq!(metric(&appliance, "hypasis_checkpoint_milestone_number"), 2_900);
    // Heimdall goes away: that is said, and what it said stays.
    heimdall.away(true);
    appliance.until(
        |_, admin| super::page(admin)["heimdall"]["trouble"].is_string(),
        LIMIT,
        "to miss Heimdall",
    );
    assert_eq!(super::page(appliance.admin)["heimdall"]["milestone"]["end_block"], 2_900);
    assert_eq!(appliance.status()["halted"], Value::Null);
}

#[test]
fn headers_with_l1s_root_but_another_state_are_caught_by_their_seals() {
    let Some(scene) = Scene::new(300) else { return };
    let contract = RootChain::deploy(&scene.anvil);
    contract.submit(scene.root(1, 256), 1..=256);
    scene.anvil.mine(FINALITY);
    let heimdall = scene.minted.heimdall();
    let forged = scene.forged(100);
    let headers = |blocks: &[Block]| root(&blocks[..256]);
    assert_eq!(headers(&forged), headers(&scene.blocks), "the root cannot tell them apart");
    assert_ne!(forged[255].id, scene.blocks[255].id);
    let (liar, honest) = (scene.archive("a-liar", &forged), scene.archive("honest", &scene.blocks));
    let endpoints = [L1Endpoint::before(scene.anvil.address)];
    let config = scene.config(&contract, &endpoints, &heimdall.url());
    let mut appliance = scene.start(&config, &[&liar, &honest]);
    appliance.until(|_, admin| page(admin)["number"] == 256, LIMIT, "to trust the checkpoint");
    let page = page(appliance.admin);
    assert_eq!(page["hash"], json!(scene.blocks[255].id.hash));
    assert_eq!(page["named_by"].as_array().unwrap().len(), 1, "{page}");
    let log = appliance.log();
    assert!(log.contains("A source gave wrong data") && log.contains("number=100"), "{log}");
}

/// A minted chain, and an Anvil for its checkpoints.
struct Scene {
    dir: tempfile::TempDir,
    anvil: Anvil,
    minted: Minted,
    /// From block 1 on.
    blocks: Vec<Block>,
}

// === impl Scene ===

impl Scene {
    fn new(count: usize) -> Option<Self> {
        let dir = tempdir().unwrap();
        let anvil = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"])?;
        let options = BorOptions { validators: vec![7; 4], span: 100, ..BorOptions::default() };
        let mut minted = Minted::new(&dir.path().join("minted"), options);
        let blocks = (0..count).map(|_| minted.minter.mint()).collect();
        Some(Self { dir, anvil, minted, blocks })
    }

    /// The root over blocks `start` to `end`.
    fn root(&self, start: usize, end: usize) -> B256 {
        root(&self.blocks[start - 1..end])
    }

    /// The same chain with another state root at a height, and everything above linked to it. Seals stay as they are.
    fn forged(&self, number: usize) -> Vec<Block> {
        let mut blocks = self.blocks.clone();
        let mut parent = None;
        for block in &mut blocks[number - 1..] {
            let mut raw = block.header.to_vec();
            match parent {
                None => raw[STATE_ROOT].fill(7),
                Some(parent) => raw[PARENT].copy_from_slice(B256::as_slice(&parent)),
            }
            let hash = keccak256(&raw);
            (block.header, block.id.hash, parent) = (raw.into(), hash, Some(hash));
        }
        blocks
    }

    /// A folder with these blocks as a chain file.
    fn archive(&self, name: &str, blocks: &[Block]) -> PathBuf {
        let folder = self.dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let bytes: Vec<u8> = blocks.iter().flat_map(block_rlp).collect();
        std::fs::write(folder.join("chain.rlp"), bytes).unwrap();
        folder
    }

    fn config(&self, contract: &RootChain<'_>, endpoints: &[L1Endpoint], heimdall: &str) -> PathBuf {
        let urls: Vec<_> = endpoints.iter().map(L1Endpoint::url).collect();
        let path = self.dir.path().join("hypasis.toml");
        let text = format!(
            "[checkpoint]\nsource = \"ethereum-l1\"\nl1_urls = {urls:?}\nroot_chain = \"{}\"\npoll_interval = \"100ms\"\n\
             heimdall_urls = [\"{heimdall}\"]\n",
            contract.address
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn start(&self, config: &Path, archives: &[&PathBuf]) -> Appliance {
        let genesis = self.minted.genesis.to_str().unwrap();
        let mut arguments = vec!["--config", config.to_str().unwrap(), "--chain", genesis];
        for archive in archives {
            arguments.extend(["--upstream", archive.to_str().unwrap()]);
        }
        Appliance::start(self.dir.path(), &arguments)
    }
}

fn root(blocks: &[Block]) -> B256 {
    let headers: Vec<_> = blocks.iter().map(|block| Header::parse(&block.header).unwrap()).collect();
    checkpoint::root(&headers).unwrap()
}
