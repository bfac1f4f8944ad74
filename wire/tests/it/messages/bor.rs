//! What a real Bor said of itself: version 2.7.2 at block 255 of a private chain with id 15001.

use alloy_eip2124::{ForkHash, ForkId};
use alloy_primitives::{Bytes, U256, b256, hex};
use hypasis_wire::eth::{Dialect, EthMessage, EthVersion, StatusMessage, UnifiedStatus};

const STATUS_68: [u8; 82] = hex!(
    "f85044823a99820100a0c74d06b6d1d2ea27c926609cc055525f873f2cf1e2f8933f8e19eecb61f3bdaaa03ea63916b1dcd05d0985412c"
    "6ca681b097ca32c341b966a4d2052352c89976abc6842f63c6cb80"
);
const STATUS_69: [u8; 85] = hex!(
    "f85345823a99820100a03ea63916b1dcd05d0985412c6ca681b097ca32c341b966a4d2052352c89976abc6842f63c6cb808081ffa0c74d"
    "06b6d1d2ea27c926609cc055525f873f2cf1e2f8933f8e19eecb61f3bdaa"
);

fn status(version: EthVersion) -> UnifiedStatus {
    let status = UnifiedStatus::builder()
        .version(version)
        .chain(15_001)
        .genesis(b256!("3ea63916b1dcd05d0985412c6ca681b097ca32c341b966a4d2052352c89976ab"))
        .forkid(ForkId { hash: ForkHash(hex!("2f63c6cb")), next: 0 })
        .total_difficulty(U256::from(256))
        .blockhash(b256!("c74d06b6d1d2ea27c926609cc055525f873f2cf1e2f8933f8e19eecb61f3bdaa"));
    if version == EthVersion::Eth68 { status.build() } else { status.range(0, 255).build() }
}

#[test]
fn the_status_of_a_real_bor_is_read_and_written_byte_for_byte() {
    for (version, bytes) in [(EthVersion::Eth68, &STATUS_68[..]), (EthVersion::Eth69, &STATUS_69[..])] {
        let wanted = status(version);
        let written = EthMessage::Status(wanted.into_message(Dialect::Bor)).encoded();
        assert_eq!(written, bytes, "{version}");
        match EthMessage::decode(version, Dialect::Bor, 0, Bytes::copy_from_slice(bytes).into()) {
            Ok(EthMessage::Status(read)) => assert_eq!(UnifiedStatus::from(read), wanted),
            other => panic!("{version}: {other:?}"),
        }
    }
}

#[test]
fn in_69_the_two_families_do_not_understand_each_other() {
    let bor = Bytes::from_static(&STATUS_69).into();
    assert!(EthMessage::decode(EthVersion::Eth69, Dialect::Ethereum, 0, bor).is_err());
    let ethereum = EthMessage::Status(status(EthVersion::Eth69).into_message(Dialect::Ethereum)).encoded();
    assert!(EthMessage::decode(EthVersion::Eth69, Dialect::Bor, 0, ethereum).is_err());
    assert!(matches!(status(EthVersion::Eth69).into_message(Dialect::Bor), StatusMessage::Bor69(_)));
}

#[test]
fn bor_is_offered_no_version_that_it_does_not_speak() {
    assert_eq!(Dialect::Bor.versions(), [EthVersion::Eth69, EthVersion::Eth68]);
    assert_eq!(Dialect::Ethereum.versions(), EthVersion::ALL);
}
