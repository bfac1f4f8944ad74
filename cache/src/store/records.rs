//! Small records: what the program wants to know again after a start.

use alloy_primitives::U256;
use rocksdb::WriteBatch;

use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::meta;
use super::section_start;
use super::trace::Step;

/// Bytes of a record at most: they are small by contract.
const RECORD_BYTES_MAX: usize = 16 << 20;

pub(super) fn record(core: &Core, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(core.db.get_cf(core.family(Family::Meta)?, meta::record_key(name))?)
}

pub(super) fn put_record(core: &Core, name: &str, value: &[u8]) -> Result<(), StoreError> {
    if value.len() > RECORD_BYTES_MAX {
        return StoreError::refused(format!("record `{name}` has more than {RECORD_BYTES_MAX} bytes"));
    }
    put(core, meta::record_key(name), value)
}

pub(super) fn difficulty_base(core: &Core, number: u64) -> Result<Option<U256>, StoreError> {
    let row = core.db.get_cf(core.family(Family::Meta)?, meta::difficulty_key(section_start(number)))?;
    Ok(row.map(|row| U256::from_be_slice(row.get(..32).unwrap_or_default())))
}

pub(super) fn put_difficulty_base(core: &Core, number: u64, total: U256) -> Result<(), StoreError> {
    put(core, meta::difficulty_key(section_start(number)), &total.to_be_bytes::<32>())
}

fn put(core: &Core, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
    core.health.check()?;
    let mut batch = WriteBatch::default();
    batch.put_cf(core.family(Family::Meta)?, key, value);
    core.write_synced(Step::Record, batch)
}
