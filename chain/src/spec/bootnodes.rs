//! Where the search for peers begins on the public networks: bootnodes, and lists of nodes in DNS (EIP-1459).
//!
//! Sources: Geth 1.17.5 `params/bootnodes.go`; Bor 2.7.2 `params/bootnodes.go` and `builder/files/config.toml`.

use super::ChainSpec;

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entrance {
    /// `enode://…`
    pub bootnodes: &'static [&'static str],
    /// `enrtree://…`
    pub dns: &'static [&'static str],
}

// === impl ChainSpec ===

impl ChainSpec {
    /// Where the search for peers of this chain begins; empty for a chain that is not built in. A genesis file that
    /// gives the block 0 of one that is counts as that one.
    pub fn entrance(&self) -> Entrance {
        let Some(hash) = self.genesis_hash else { return Entrance::default() };
        let known = Self::known(self.chain_id, Some(hash));
        match known.as_ref().map(|spec| spec.name.as_str()) {
            Some("ethereum") => Entrance { bootnodes: ETHEREUM, dns: &[ETHEREUM_DNS] },
            Some("sepolia") => Entrance { bootnodes: SEPOLIA, dns: &[SEPOLIA_DNS] },
            Some("polygon") => Entrance { bootnodes: POLYGON, dns: &[POLYGON_DNS] },
            Some("amoy") => Entrance { bootnodes: AMOY, dns: &[AMOY_DNS] },
            _ => Entrance::default(),
        }
    }
}

const ETHEREUM: &[&str] = &[
    concat!(
        "enode://d860a01f9722d78051619d1e2351aba3f43f943f6f00718d1b9baa4101932a1f",
        "5011f16bb2b1bb35db20d6fe28fa0bf09636d26a87d31de9ec6203eeedb1f666@18.138.108.67:30303"
    ),
    concat!(
        "enode://22a8232c3abc76a16ae9d6c3b164f98775fe226f0917b0ca871128a74a8e9630",
        "b458460865bab457221f1d448dd9791d24c4e5d88786180ac185df813a68d4de@3.209.45.79:30303"
    ),
    concat!(
        "enode://2b252ab6a1d0f971d9722cb839a42cb81db019ba44c08754628ab4a823487071",
        "b5695317c8ccd085219c3a03af063495b2f1da8d18218da2d6a82981b45e6ffc@65.108.70.101:30303"
    ),
    concat!(
        "enode://4aeb4ab6c14b23e2c4cfdce879c04b0748a20d8e9b59e25ded2a08143e265c6c",
        "25936e74cbc8e641e3312ca288673d91f2f93f8e277de3cfa444ecdaaf982052@157.90.35.166:30303"
    ),
];
const SEPOLIA: &[&str] = &[
    concat!(
        "enode://4e5e92199ee224a01932a377160aa432f31d0b351f84ab413a8e0a42f4f36476",
        "f8fb1cbe914af0d9aef0d51665c214cf653c651c4bbd9d5550a934f241f1682b@138.197.51.181:30303"
    ),
    concat!(
        "enode://143e11fb766781d22d92a2e33f8f104cddae4411a122295ed1fdb6638de96a6c",
        "e65f5b7c964ba3763bba27961738fef7d3ecc739268f3e5e771fb4c87b6234ba@146.190.1.103:30303"
    ),
    concat!(
        "enode://8b61dc2d06c3f96fddcbebb0efb29d60d3598650275dc469c22229d3e5620369",
        "b0d3dedafd929835fe7f489618f19f456fe7c0df572bf2d914a9f4e006f783a9@170.64.250.88:30303"
    ),
    concat!(
        "enode://10d62eff032205fcef19497f35ca8477bea0eadfff6d769a147e895d8b2b8f8a",
        "e6341630c645c30f5df6e67547c03494ced3d9c5764e8622a26587b083b028e8@139.59.49.206:30303"
    ),
    concat!(
        "enode://9e9492e2e8836114cc75f5b929784f4f46c324ad01daf87d956f98b3b6c5fcba",
        "95524d6e5cf9861dc96a2c8a171ea7105bb554a197455058de185fa870970c7c@138.68.123.152:30303"
    ),
];
const POLYGON: &[&str] = &[
    concat!(
        "enode://e4fb013061eba9a2c6fb0a41bbd4149f4808f0fb7e88ec55d7163f19a6f02d64",
        "d0ce5ecc81528b769ba552a7068057432d44ab5e9e42842aff5b4709aa2c3f3b@34.89.75.187:30303"
    ),
    concat!(
        "enode://a49da6300403cf9b31e30502eb22c142ba4f77c9dda44990bccce9f2121c3152",
        "487ee95ee55c6b92d4cdce77845e40f59fd927da70ea91cf935b23e262236d75@34.142.43.249:30303"
    ),
    concat!(
        "enode://b8f1cc9c5d4403703fbf377116469667d2b1823c0daf16b7250aa576bacf399e",
        "42c3930ccfcb02c5df6879565a2b8931335565f0e8d3f8e72385ecf4a4bf160a@3.36.224.80:30303"
    ),
    concat!(
        "enode://8729e0c825f3d9cad382555f3e46dcff21af323e89025a0e6312df541f4a9e73",
        "abfa562d64906f5e59c51fe6f0501b3e61b07979606c56329c020ed739910759@54.194.245.5:30303"
    ),
];
const AMOY: &[&str] = &[
    concat!(
        "enode://c9c8c18cde48b41d46ced0c564496aef721a9b58f8724025a0b1f3f26f1b826f",
        "31786f890f8f8781e18b16dbb3c7bff805c7304d1273ac11630ed25a3f0dc41c@34.89.39.114:30303"
    ),
    concat!(
        "enode://0ef8758cafc0063405f3f31fe22f2a3b566aa871bd7cd405e35954ec8aa7237c",
        "21e1ccc1f65f1b6099ab36db029362bc2fecf001a771b3d9803bbf1968508cef@35.197.249.21:30303"
    ),
    concat!(
        "enode://bce861be777e91b0a5a49d58a51e14f32f201b4c6c2d1fbea6c7a1f14756cbb3",
        "f931f3188d6b65de8b07b53ff28d03b6e366d09e56360d2124a9fc5a15a0913d@54.217.171.196:30303"
    ),
    concat!(
        "enode://4a3dc0081a346d26a73d79dd88216a9402d2292318e2db9947dbc97ea9c4afb2",
        "498dc519c0af04420dc13a238c279062da0320181e7c1461216ce4513bfd40bf@13.251.184.185:30303"
    ),
];
const ETHEREUM_DNS: &str =
    "enrtree://AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE@all.mainnet.ethdisco.net";
const SEPOLIA_DNS: &str =
    "enrtree://AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE@all.sepolia.ethdisco.net";
const POLYGON_DNS: &str =
    "enrtree://AKUEZKN7PSKVNR65FZDHECMKOJQSGPARGTPPBI7WS2VUL4EGR6XPC@pos.polygon-peers.io";
const AMOY_DNS: &str =
    "enrtree://AKUEZKN7PSKVNR65FZDHECMKOJQSGPARGTPPBI7WS2VUL4EGR6XPC@amoy.polygon-peers.io";
