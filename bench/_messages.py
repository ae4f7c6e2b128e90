"""Messages of a typical session, large and small, for the measurements."""

from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.messages import app_protocol as ap
from v2g.messages import common_messages as cm
from v2g.messages import common_types as ct
from v2g.messages import dc
from v2g.messages import xmldsig as ds

CERTIFICATE = bytes(range(256)) * 3 + bytes(32)  # 800 octets, as long as one with a secp521r1 key
EXI = "http://www.w3.org/TR/canonical-exi/"
SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"


def rational(value: int, exponent: int = 0) -> ct.RationalNumberType:
    """value * 10**exponent"""
    return ct.RationalNumberType(Exponent=exponent, Value=value)


HEADER = ct.MessageHeaderType(SessionID=bytes(range(8)), TimeStamp=1_700_000_000)

SIGNED_HEADER = ct.MessageHeaderType(
    SessionID=bytes(range(8)),
    TimeStamp=1_700_000_000,
    Signature=ds.SignatureType(
        SignedInfo=ds.SignedInfoType(
            CanonicalizationMethod=ds.CanonicalizationMethodType(Algorithm=EXI),
            SignatureMethod=ds.SignatureMethodType(Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"),
            Reference=(
                ds.ReferenceType(
                    URI="#id1",
                    Transforms=ds.TransformsType(Transform=(ds.TransformType(Algorithm=EXI),)),
                    DigestMethod=ds.DigestMethodType(Algorithm=SHA512),
                    DigestValue=bytes(range(64)),
                ),
            ),
        ),
        SignatureValue=ds.SignatureValueType(value=bytes(range(132))),
    ),
)

SUPPORTED_APP_PROTOCOL_REQ = ap.supportedAppProtocolReq(
    AppProtocol=tuple(
        ap.AppProtocolType(
            ProtocolNamespace=f"urn:iso:std:iso:15118:-20:{name}", VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=i, Priority=i
        )
        for i, name in enumerate(("DC", "AC", "CommonMessages"), 1)
    )
)

SESSION_SETUP_REQ = cm.SessionSetupReq(Header=HEADER, EVCCID="WMIV1234567890ABCDEX")

CHAIN = cm.ContractCertificateChainType(
    Certificate=CERTIFICATE, SubCertificates=cm.SubCertificatesType(Certificate=(CERTIFICATE, CERTIFICATE))
)

AUTHORIZATION_REQ = cm.AuthorizationReq(
    Header=SIGNED_HEADER,
    SelectedAuthorizationService=cm.authorizationType.PnC,
    PnC_AReqAuthorizationMode=cm.PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=bytes(16), ContractCertificateChain=CHAIN),
)

CERTIFICATE_INSTALLATION_RES = cm.CertificateInstallationRes(
    Header=SIGNED_HEADER,
    ResponseCode=ct.responseCodeType.OK,
    EVSEProcessing=ct.processingType.Finished,
    CPSCertificateChain=cm.CertificateChainType(Certificate=CERTIFICATE, SubCertificates=CHAIN.SubCertificates),
    SignedInstallationData=cm.SignedInstallationDataType(
        Id="id1",
        ContractCertificateChain=CHAIN,
        ECDHCurve=cm.ecdhCurveType.SECP521,
        DHPublicKey=bytes(133),
        SECP521_EncryptedPrivateKey=bytes(94),
    ),
    RemainingContractCertificateChains=0,
)

PRICES = least(
    cm.AbsolutePriceScheduleType,
    TimeAnchor=1_700_000_000,
    PriceScheduleID=1,
    Currency="EUR",
    Language="ENG",
    PriceAlgorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
    TaxRules=cm.TaxRuleListType(TaxRule=(least(cm.TaxRuleType, TaxRuleID=1, TaxRate=rational(19, -2), AppliesToEnergyFee=True),)),
    PriceRuleStacks=cm.PriceRuleStackListType(
        PriceRuleStack=tuple(
            cm.PriceRuleStackType(
                Duration=3600, PriceRule=(least(cm.PriceRuleType, EnergyFee=rational(20 + h, -2), PowerRangeStart=rational(0)),)
            )
            for h in range(24)
        )
    ),
)

SCHEDULE_EXCHANGE_RES = cm.ScheduleExchangeRes(
    Header=HEADER,
    ResponseCode=ct.responseCodeType.OK,
    EVSEProcessing=ct.processingType.Finished,
    Scheduled_SEResControlMode=cm.Scheduled_SEResControlModeType(
        ScheduleTuple=(
            cm.ScheduleTupleType(
                ScheduleTupleID=1,
                ChargingSchedule=cm.ChargingScheduleType(
                    PowerSchedule=cm.PowerScheduleType(
                        TimeAnchor=1_700_000_000,
                        PowerScheduleEntries=cm.PowerScheduleEntryListType(
                            PowerScheduleEntry=tuple(
                                cm.PowerScheduleEntryType(Duration=3600, Power=rational(1000 + h, 1)) for h in range(24)
                            )
                        ),
                    ),
                    AbsolutePriceSchedule=PRICES,
                ),
            ),
        )
    ),
)

DC_CHARGE_LOOP_REQ = dc.DC_ChargeLoopReq(
    Header=HEADER,
    DisplayParameters=ct.DisplayParametersType(
        PresentSOC=50,
        MinimumSOC=20,
        TargetSOC=80,
        MaximumSOC=90,
        RemainingTimeToMinimumSOC=100,
        RemainingTimeToTargetSOC=3000,
        RemainingTimeToMaximumSOC=4000,
        ChargingComplete=False,
        BatteryEnergyCapacity=rational(600, 2),
    ),
    MeterInfoRequested=True,
    EVPresentVoltage=rational(4000, -1),
    CLReqControlMode=dc.BPT_Dynamic_DC_CLReqControlModeType(
        DepartureTime=3600,
        EVTargetEnergyRequest=rational(400, 2),
        EVMaximumEnergyRequest=rational(500, 2),
        EVMinimumEnergyRequest=rational(100, 2),
        EVMaximumChargePower=rational(110, 2),
        EVMinimumChargePower=rational(0),
        EVMaximumChargeCurrent=rational(300),
        EVMaximumVoltage=rational(800),
        EVMinimumVoltage=rational(200),
        EVMaximumDischargePower=rational(110, 2),
        EVMinimumDischargePower=rational(0),
        EVMaximumDischargeCurrent=rational(300),
    ),
)

DC_CHARGE_LOOP_RES = dc.DC_ChargeLoopRes(
    Header=HEADER,
    ResponseCode=ct.responseCodeType.OK,
    MeterInfo=ct.MeterInfoType(
        MeterID="METER-0001", ChargedEnergyReadingWh=12_345, BPT_DischargedEnergyReadingWh=678, MeterTimestamp=1_700_000_000
    ),
    EVSEPresentCurrent=rational(1250, -1),
    EVSEPresentVoltage=rational(4000, -1),
    EVSEPowerLimitAchieved=False,
    EVSECurrentLimitAchieved=False,
    EVSEVoltageLimitAchieved=False,
    CLResControlMode=dc.BPT_Dynamic_DC_CLResControlModeType(
        DepartureTime=3600,
        TargetSOC=80,
        AckMaxDelay=30,
        EVSEMaximumChargePower=rational(110, 2),
        EVSEMinimumChargePower=rational(0),
        EVSEMaximumChargeCurrent=rational(300),
        EVSEMaximumVoltage=rational(1000),
        EVSEMaximumDischargePower=rational(110, 2),
        EVSEMinimumDischargePower=rational(0),
        EVSEMaximumDischargeCurrent=rational(300),
        EVSEMinimumVoltage=rational(150),
    ),
)

SAMPLES: list[tuple[Type, str]] = [
    (SUPPORTED_APP_PROTOCOL_REQ, "app"),
    (SESSION_SETUP_REQ, "common"),
    (AUTHORIZATION_REQ, "common"),
    (CERTIFICATE_INSTALLATION_RES, "common"),
    (SCHEDULE_EXCHANGE_RES, "common"),
    (DC_CHARGE_LOOP_REQ, "dc"),
    (DC_CHARGE_LOOP_RES, "dc"),
]
