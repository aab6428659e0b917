//! What the shop sells, and what its things cost.

/// Orders of this much and more are delivered free.
pub(crate) const FREE_DELIVERY_FROM: Cents = Cents(60_00);
/// What delivery costs below that.
pub(crate) const DELIVERY: Cents = Cents(4_90);

/// An amount of euros, in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cents(pub(crate) u32);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "€{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// One thing for sale.
pub(crate) struct Product {
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    /// The line under the name on the shelf.
    pub(crate) tagline: &'static str,
    pub(crate) price: Cents,
    pub(crate) description: &'static str,
    pub(crate) details: &'static [(&'static str, &'static str)],
    /// An SVG element, drawn by us.
    pub(crate) art: &'static str,
}

/// The product with this slug.
pub(crate) fn product(slug: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.slug == slug)
}

/// Everything on the shelf, in the order of the home page.
pub(crate) static PRODUCTS: [Product; 8] = [
    Product {
        slug: "ridgeline-daypack",
        name: "Ridgeline daypack",
        tagline: "24 litres, waxed cotton",
        price: Cents(89_00),
        description: "A day on the hill, and Monday at work. Waxed cotton that gets better with rain, \
                      a roll top that closes over a loaf of bread, and straps we can replace.",
        details: &[
            ("Volume", "24 litres"),
            ("Weight", "980 g"),
            ("Material", "Waxed organic cotton, brass buckles"),
            ("Fits", "A 15-inch laptop or a two-litre water bag"),
        ],
        art: include_str!("../assets/art/daypack.svg"),
    },
    Product {
        slug: "tarn-wool-blanket",
        name: "Tarn wool blanket",
        tagline: "130 × 180 cm, lambswool",
        price: Cents(72_00),
        description: "Woven from undyed lambswool in three greys and one green. Warm when damp, \
                      at home on the sofa, and never too good for the grass.",
        details: &[
            ("Size", "130 × 180 cm"),
            ("Weight", "1.1 kg"),
            ("Material", "Lambswool, undyed"),
            ("Care", "Air it; wool wash at 30 °C"),
        ],
        art: include_str!("../assets/art/blanket.svg"),
    },
    Product {
        slug: "camp-enamel-mug",
        name: "Camp enamel mug",
        tagline: "350 ml, steel rim",
        price: Cents(12_00),
        description: "Two coats of enamel on steel, a rim that does not chip at the first stone, \
                      and a handle wide enough for gloves.",
        details: &[
            ("Volume", "350 ml"),
            ("Weight", "140 g"),
            ("Material", "Enamelled steel"),
            ("Care", "Dishwasher yes, microwave no"),
        ],
        art: include_str!("../assets/art/mug.svg"),
    },
    Product {
        slug: "harbour-lantern",
        name: "Harbour lantern",
        tagline: "Warm LED, 40 hours",
        price: Cents(38_00),
        description: "The light of an oil lamp without the oil. Dims down to a glow, charges by \
                      USB-C, and hangs from a tent pole or a hook in the hall.",
        details: &[
            ("Light", "5 to 200 lumens, 2700 K"),
            ("Battery", "40 hours on low, 6 on full; replaceable"),
            ("Weight", "310 g"),
            ("Rated", "IP54: rain, not rivers"),
        ],
        art: include_str!("../assets/art/lantern.svg"),
    },
    Product {
        slug: "copperline-kettle",
        name: "Copperline kettle",
        tagline: "1.1 litres, any hob or fire",
        price: Cents(46_00),
        description: "A flat-bottomed kettle that boils fast on gas, induction or embers, with a \
                      handle that stays cool and folds away.",
        details: &[
            ("Volume", "1.1 litres"),
            ("Weight", "520 g"),
            ("Material", "Copper-plated steel, ash handle"),
            ("Hobs", "Gas, electric, induction, open fire"),
        ],
        art: include_str!("../assets/art/kettle.svg"),
    },
    Product {
        slug: "longday-flask",
        name: "Longday flask",
        tagline: "0.75 litres, hot for 18 hours",
        price: Cents(34_00),
        description: "Soup at the summit. Double-walled steel, a lid that is a cup, and a seal you \
                      can buy for three euros when it is worn.",
        details: &[
            ("Volume", "0.75 litres"),
            ("Weight", "430 g"),
            ("Material", "Stainless steel, silicone seal"),
            ("Keeps", "Hot 18 hours, cold 30"),
        ],
        art: include_str!("../assets/art/flask.svg"),
    },
    Product {
        slug: "merino-walking-socks",
        name: "Merino walking socks",
        tagline: "Two pairs, sizes 36 to 47",
        price: Cents(24_00),
        description: "Cushioned where boots press, thin where they do not. If you walk a hole into \
                      them within two years, we darn or replace them.",
        details: &[
            ("In the pack", "Two pairs"),
            ("Sizes", "36–39, 40–43, 44–47"),
            ("Material", "72% merino, 26% nylon, 2% elastane"),
            ("Care", "Machine wash at 40 °C"),
        ],
        art: include_str!("../assets/art/socks.svg"),
    },
    Product {
        slug: "willow-picnic-basket",
        name: "Willow picnic basket",
        tagline: "For four, plates included",
        price: Cents(64_00),
        description: "Steamed willow around a cotton lining, with four enamel plates, cutlery and \
                      room for a whole cake.",
        details: &[
            ("Size", "42 × 30 × 22 cm"),
            ("Weight", "2.4 kg with plates"),
            ("Material", "Willow, cotton, leather straps"),
            ("Includes", "Four plates, four sets of cutlery"),
        ],
        art: include_str!("../assets/art/basket.svg"),
    },
];

#[cfg(test)]
mod tests {
    use super::Cents;

    #[test]
    fn an_amount_always_shows_two_decimals() {
        assert_eq!(
            [Cents(89_00), Cents(4_05), Cents(7)].map(|c| c.to_string()),
            ["€89.00", "€4.05", "€0.07"]
        );
    }
}
