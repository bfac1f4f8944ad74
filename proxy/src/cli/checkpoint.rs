//! `hypasis checkpoint sign|verify|show`: checkpoint files, and the checkpoint of a running instance.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use hypasis_chain::ChainSpec;
use hypasis_upstream::checkpoint::SignedCheckpoint;
use hypasis_upstream::checkpoint::signed::{FILE_BYTES_MAX, Signers};

use super::status::Admin;
use super::{Failure, print};
use crate::config::{Config, load, parse_total};
use crate::p2p::key::KeyFile;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a signature to a checkpoint file; make the file from --number and --hash where there is none
    Sign(Sign),
    /// Check a checkpoint file: exit code 0 if enough signers signed it, else 1
    Verify(Verify),
    /// Print the checkpoint of a running instance, or what a file says and who signed it
    Show(Show),
}

#[derive(Args, Debug)]
pub(super) struct Sign {
    /// The checkpoint file
    file: PathBuf,
    /// File of the signing key: 64 hex digits, or PKCS#8 in PEM with --key-passphrase-file
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// File of the passphrase of an encrypted key
    #[arg(long, value_name = "FILE")]
    key_passphrase_file: Option<PathBuf>,
    /// Chain: polygon, amoy, ethereum, sepolia, a chain id, or a genesis.json
    #[arg(long)]
    chain: Option<String>,
    /// Height of the block
    #[arg(long)]
    number: Option<u64>,
    /// Hash of the block
    #[arg(long)]
    hash: Option<B256>,
    /// Total difficulty up to and with the block, if it is known
    #[arg(long, value_parser = parse_total)]
    total_difficulty: Option<U256>,
    /// Seconds since the epoch when the checkpoint was made [default: now]
    #[arg(long)]
    timestamp: Option<u64>,
}

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// The checkpoint file
    file: PathBuf,
    /// Configuration file that names chain, signers and threshold, as far as the flags do not
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Chain: polygon, amoy, ethereum, sepolia, a chain id, or a genesis.json
    #[arg(long)]
    chain: Option<String>,
    /// Address that may sign (repeatable)
    #[arg(long = "signer", value_name = "ADDRESS")]
    signers: Vec<Address>,
    /// How many of them must have signed [default: more than half]
    #[arg(long)]
    threshold: Option<usize>,
}

#[derive(Args, Debug)]
pub(super) struct Show {
    /// A checkpoint file; without one a running instance is asked
    file: Option<PathBuf>,
    #[command(flatten)]
    admin: Admin,
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Sign(sign) => add(&sign),
        Command::Verify(verify) => check(&verify),
        Command::Show(Show { file: Some(file), .. }) => print(page(&read(&file)?)?.as_bytes()),
        Command::Show(Show { file: None, admin }) => running(&admin),
    }
}

fn add(sign: &Sign) -> Result<(), Failure> {
    let mut config = Config::default();
    config.p2p.key_file = Some(sign.key_file.clone());
    config.p2p.key_passphrase_file = sign.key_passphrase_file.clone();
    let key = KeyFile::of(&config).load().map_err(anyhow::Error::from)?;
    let mut checkpoint = match fs::exists(&sign.file).map_err(anyhow::Error::from)? {
        true => sign.same(read(&sign.file)?)?,
        false => sign.made()?,
    };
    let signer = checkpoint.sign(&key.secret()).map_err(anyhow::Error::from)?;
    write(&sign.file, &checkpoint)?;
    print(format!("{signer} has signed block {} ({})\n", checkpoint.number, checkpoint.hash).as_bytes())
}

fn check(verify: &Verify) -> Result<(), Failure> {
    let (chain, Signers { addresses, threshold }) = verify.expected()?;
    if threshold == 0 || threshold > addresses.len() {
        let signers = addresses.len();
        return Err(Failure::Usage(format!(
            "--threshold {threshold}: with {signers} signers it must be 1 to {signers}"
        )));
    }
    let checkpoint = read(&verify.file)?;
    let chain_id = chain_id(&chain)?;
    let path = verify.file.display();
    let signed = checkpoint.verify(chain_id, &Signers { addresses, threshold });
    let signed = signed.map_err(|error| anyhow!("{path} is refused: {error}"))?;
    let mut text =
        format!("block {} ({}) of chain {chain_id} is signed by", checkpoint.number, checkpoint.hash);
    for signer in &signed {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{signer}");
    }
    let _ = writeln!(text, "\n{} of {threshold} that must", signed.len());
    print(text.as_bytes())
}

fn running(admin: &Admin) -> Result<(), Failure> {
    let (code, body) = admin.get("/api/v1/checkpoint")?;
    let page: serde_json::Value = serde_json::from_str(&body).context("the answer is no JSON")?;
    let text = serde_json::to_string_pretty(&page).map_err(anyhow::Error::from)?;
    print(format!("{text}\n").as_bytes())?;
    if code == 200 { Ok(()) } else { Err(Failure::Negative) }
}

// === impl Verify ===

impl Verify {
    /// The chain, and who must have signed: of the flags, else of the configuration.
    fn expected(&self) -> Result<(String, Signers), Failure> {
        let mut config = match self.config.as_deref() {
            Some(path) => load(Some(path), toml::Table::new(), std::env::vars())?,
            None => Config::default(),
        };
        if !self.signers.is_empty() {
            config.checkpoint.signers = self.signers.clone();
            config.checkpoint.threshold = None;
        }
        config.checkpoint.threshold = self.threshold.or(config.checkpoint.threshold);
        let configured = config.chain.genesis.as_ref().map(|path| path.to_string_lossy().into_owned());
        let Some(chain) = self.chain.clone().or(config.chain.name.clone()).or(configured) else {
            return Err(Failure::Usage(
                "no chain is named: give --chain, or --config with `chain.name`".into(),
            ));
        };
        if config.checkpoint.signers.is_empty() {
            let missing = "nobody may sign: give --signer, or --config with `checkpoint.signers`";
            return Err(Failure::Usage(missing.into()));
        }
        Ok((chain, config.checkpoint.signers()))
    }
}

// === impl Sign ===

impl Sign {
    /// A new file's content.
    fn made(&self) -> Result<SignedCheckpoint, Failure> {
        let (Some(chain), Some(number), Some(hash)) = (&self.chain, self.number, self.hash) else {
            return Err(Failure::Usage(format!(
                "{} is not there; --chain, --number and --hash make it",
                self.file.display()
            )));
        };
        Ok(SignedCheckpoint {
            chain_id: chain_id(chain)?,
            number,
            hash,
            total_difficulty: self.total_difficulty,
            timestamp: self.timestamp.unwrap_or_else(now),
            signatures: Vec::new(),
        })
    }

    /// What is there, if it says what the flags say: nobody signs something else by mistake.
    fn same(&self, there: SignedCheckpoint) -> Result<SignedCheckpoint, Failure> {
        let chain = self.chain.as_deref().map(chain_id).transpose()?;
        let differs = chain.is_some_and(|chain| chain != there.chain_id)
            || self.number.is_some_and(|number| number != there.number)
            || self.hash.is_some_and(|hash| hash != there.hash)
            || self.timestamp.is_some_and(|timestamp| timestamp != there.timestamp)
            || self.total_difficulty.is_some_and(|total| Some(total) != there.total_difficulty);
        if differs {
            let path = self.file.display();
            return Err(anyhow!(
                "{path} says something else than the flags; it is left as it is:\n{}",
                there.text()
            )
            .into());
        }
        Ok(there)
    }
}

fn read(path: &Path) -> Result<SignedCheckpoint, anyhow::Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| path.display().to_string())?;
    SignedCheckpoint::parse(&bytes).with_context(|| format!("{} is refused", path.display()))
}

/// The file is whole at every moment: a draft takes its place in one step.
fn write(path: &Path, checkpoint: &SignedCheckpoint) -> Result<(), anyhow::Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".draft");
    let draft = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&draft) {
            // Left by a run that was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => File::create(&draft)?,
            opened => opened?,
        };
        file.write_all(checkpoint.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// What a file says, and who signed it.
fn page(checkpoint: &SignedCheckpoint) -> Result<String, anyhow::Error> {
    let mut text = checkpoint.text();
    for signer in checkpoint.signed_by()? {
        let _ = write!(text, "\nsigned by: {signer}");
    }
    text.push('\n');
    Ok(text)
}

fn chain_id(chain: &str) -> Result<u64, anyhow::Error> {
    if let Ok(id) = chain.parse() {
        return Ok(id);
    }
    if let Some(spec) = ChainSpec::named(chain) {
        return Ok(spec.chain_id);
    }
    match fs::read(chain) {
        Ok(text) => Ok(ChainSpec::from_genesis_json(&text).with_context(|| chain.to_owned())?.chain_id),
        Err(_) => bail!("`{chain}` is neither a chain nor a chain id nor a genesis file"),
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
