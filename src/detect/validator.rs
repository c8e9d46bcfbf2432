/*!
Exact parsers for values that are known by a field's name or a word nearby.

Where a name is the evidence, the value's form decides what it is and how far it
goes: an unquoted `nhs_number=943 476 5919 ok` ends where the number does and not
at the first space.
*/

use super::entity::{date, device, imei, national, phone, place, wallet};

macro_rules! validators {
    ($($name:ident $parse:path, $doc:literal;)*) => {
        /// The exact parsers, by the names that packs call them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Validator {
            $(#[doc = $doc] $name,)*
        }

        impl Validator {
            /// All of them.
            pub const ALL: &[Validator] = &[$(Validator::$name),*];

            /// Length of the value that `text` begins with, if it begins with one.
            pub fn len(self, text: &[u8]) -> Option<usize> {
                match self {
                    $(Validator::$name => $parse(text),)*
                }
            }
        }
    };
}

validators! {
    UsSsn national::us::ssn, "A social security number.";
    UsItin national::us::itin, "A taxpayer's number of the United States.";
    UkNino national::uk::nino, "A national insurance number.";
    UkNhs national::uk::nhs, "An NHS number.";
    DeTaxId national::de::tax_id, "A German tax number.";
    FrNir national::fr::nir, "A French registration number.";
    EsNif national::es::nif, "A Spanish DNI or NIE.";
    ItFiscalCode national::it::fiscal_code, "An Italian fiscal code.";
    NlBsn national::nl::bsn, "A Dutch citizen's number.";
    PlPesel national::pl::pesel, "A Polish PESEL.";
    FiHetu national::fi::hetu, "A Finnish personal identity code.";
    SePersonnummer national::se::personnummer, "A Swedish personal number.";
    RuSnils national::ru::snils, "A Russian insurance number.";
    RuInn national::ru::inn, "A Russian tax number.";
    CnResidentId national::cn::resident_id, "A Chinese resident identity number.";
    InAadhaar national::ind::aadhaar, "An Indian Aadhaar number.";
    InPan national::ind::pan, "An Indian permanent account number.";
    BrCpf national::br::cpf, "A Brazilian CPF.";
    Imei imei::imei, "A mobile device's number.";
    Phone phone::any, "A telephone number, as people write it.";
    PhoneGrouped phone::north_american_plain, "A North American number in its three groups.";
    Wallet wallet::address, "An address of a crypto currency.";
    WalletNamed wallet::named, "What is written like an address of a crypto currency.";
    IdNumber national::number_of_any_country, "Letters and digits in groups, as identity documents have them.";
    BirthDate date::birth, "A date in any notation.";
    Coordinates place::coordinates, "A coordinate in degrees, or two.";
    PreciseCoordinate place::precise, "A coordinate with four decimals or more.";
    Uuid device::uuid, "A UUID.";
    UserAgent device::user_agent, "A user agent.";
}
