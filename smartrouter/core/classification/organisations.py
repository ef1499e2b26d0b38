# SPDX-License-Identifier: GPL-2.0-or-later
"""What each organisation makes that has registered MAC prefixes: the data behind `makers`. No code.

An entry is the beginning of a name as the IEEE registry has it: whole words, in small letters, without
punctuation and without the place that many Chinese names begin with (see `makers.words`). The longest entry
that a name begins with counts. What an entry says is general knowledge, from the makers' own product pages;
where a maker makes several sorts, it stands where most of what a home meets of it belongs.
"""

# Makes things only: what somebody puts into a home or an office and leaves there, or wears.
APPLIANCES = """
# televisions, set-top boxes, players, projectors, and who remote-controls them
advanced digital broadcast; amino communications; arcelik; baofeng tv; benq; boe; caavo; changhong;
chuangwei; coship electronics; cultraview; daewoo electronics; directv; dish technologies; dune hd;
earda; echostar; eumig industrie tv; express luck; funai; funshion online; grundig; haier multimedia;
hisense electric; hisense electronics; hisense visual; home control singapore; humax;
intelligent precise electronics; jiuzhou electric; jiuzhou electronic; jvc kenwood; kaon; kathrein;
konka; le shi; leshi; loewe; metz werke; mtc; netgem; nuvyyo; ohsung; oppo digital; ouya;
panasonic entertainment; remote solution; remote technologies; roku; sdmc technology; season electronics;
sei robotics; shiyuan; silicondust; skychers; skyworth; sling media; smart electronic gmbh; strong ges;
superelectron; syabas; tcl king; tcl moka; tcl new technology; tcl operations; tcl technoly; technisat;
telestar digital; tivo; top victory; topfield; toshiba visual; tp vision; tpv; tvip; union man; unionman;
universal electronics; universal remote; vestel; viewsonic; vizio; westinghouse digital; wisi; xgimi;
ysten; zinwell;
# loudspeakers, receivers, headphones
1more; aliph; altec lansing; ar cambridge; audio bu logitech; audio partnership; audioengine; auralic;
aurender; autonomic controls; bang olufsen; bayan audio; beats electronics; bose; bowers wilkins;
bw group; cambridge sound management; cowon; creative technology; cyrus audio; dali as; devialet;
dm holdings; dolby laboratories; doppler labs; dynaudio; edifier; elac americas; focal jmlab;
frontier silicon; frontier smart; gn audio; gn netcom; goertek; harman connected; harman consumer;
harman multimedia; harman music; harman specialty; imagination technologies; invoxia; jbl;
kenwood corporation; klipsch; lenbrook; libratone; libre wireless; liesheng electronic; linkplay;
linn products; logitech; meridian audio; naim audio; niles audio; nuheara; nuvo technologies; onkyo;
oraimo; phorus; pioneer corporation; pioneercorporation; plantronics; poly; raumfeld; revox;
roberts radio; rotel; russound; sangean; sennheiser; shokz; shure; signal path international; simaudio;
skullcandy; slim devices; sonance; sonoro audio; sonos; sound united; soundmatters; speakercraft;
steelseries; streamunlimited; tiinlab; tonly technology; transom post; vifa; wren sound;
yamaha corporation;
# telephones on a desk, and conferences
aastra; airtame; barco; biamp; binatone; blackmagic; crestron; doro; escene; extron; fanvil;
gigaset communications; gigaset technologies; grandstream; kramer electronics; lifesize; magicjack;
mitel; obihai; ooma; owl labs; polycom; qsc llc; rtx telecom; snom; tandberg telecom; uniden; vtech;
yealink;
# cameras, doorbells, intercoms, alarms
2gig; 2n telekomunikace; 360 ai; abode; abus security; acti corporation; aditya infotech; adt technology;
aiphone; ajax systems; akuvox; alarm com; alula; amcrest; ansjer; apexis; arashi vision; arecont;
arlo technology; assmann; aura home; autel robotics; avigilon; axis communications; basler ag;
bird home automation; blink by amazon; bosch security; bosch sicherheitssysteme; bticino; canary connect;
carrier fire; centralite; chuango; comelit; commax; cp plus; dahua; dallmeier;
digital monitoring products; dji; dogtra; doorking; dropcam; eastman kodak; enseo; ezviz; fermax; flir;
fuji photo; fujifilm corporation; gentex corporation electro; geovision; gopro; hanwha; heimgard;
hikvision; honeywell video; huacheng network; hualai; icontrol; idis; imilab; instar; ismart alarm;
jooan; jovision; kocom; leica camera; linear llc; lorex; lytx; march networks; milesight; mobotix;
nest labs; netcam; netvue; night owl; nikon; nortek security; olympus corporation; olympus image;
paradox security; parrot; polaroid; prama hikvision; protect america; provision isr; puwell; qihoo;
qihu intelligent; qolsys; raylios; raysharp; reecam; reolink; ring llc; ring solutions; risco; samsara;
samsung techwin; scout security; securifi; sentry 360; sentry360; simplisafe; skybell; skylight;
smarteye digital; snuza; summer infant; sunell; swann; sz dji; tiandy; tvt; udisense; uniview; urmet;
verkada; vicon industries; visonic; vivint; vivotek; wilife; wyze; xiaoyi; yuneec; zkteco; zmodo;
# locks, doors, garages, blinds
allegion; assa abloy; august home; becker antriebe; came; candy house; chamberlain; dormakaba; kwikset;
latch; nuki; pin genie; rademacher; salto systems; somfy; spectrum brands; tedee; the chamberlain group;
u tec; unikey; velux; warema; weiser;
# light
acuity brands; cooper lighting; digital lumens; feit; ge lighting; ilumisys; intellirocks; ketra;
led roadway; ledvance; leviton; lifi labs; lightwaverf; lutron; nanoleaf; opple; osram; paulmann;
philips lighting; plejd; satco; shenghui lighting; signify; silvair; tridonic; vestaboard; wac lighting;
wiz; yeelink; zengge;
# plugs, switches, hubs, sensors
athom bv; baidu online; berker; brilliant home; brk brands; broadlink; busch jaeger; climax technology;
control4; coolkit; cuco; delta dore; develco; doit iot; dragino; elko ep; eltako; enocean; eq 3;
eve systems; feller; fibar; gewiss; gospell smarthome; gosund; hager; hello inc; homewizard; hubitat;
ikea; insta elektro; jasco products; josh ai; knx; konke; koubachi; leedarson; leeo; legrand; lierda;
linptech; loop labs; loxone; lumi united; meross; merten; minut; mios ltd; monnit; netvox; niko; orvibo;
overkiz; owl home; pass seymour; physical graph; qingping; quirky; remotec technology;
robert bosch smart home; roost; samjin; savant; schneider electric; sensorpush; shelly; shidean legrand;
sikom; smarthome partner; smartlabs; smartthings; snapav; telldus; theben; tmall technology;
trust international; ubisys; universal devices; vimar; wink communication; woan; zodianet;
# heating, cooling, air, water
ademco; airthings; ambi labs; ariston; bosch thermotechnik; carrier corporation; chaney instrument;
computime; daikin; danfoss; davis instruments; delta faucet; devi danfoss; dyson; ecobee; fr sauter;
gree electric; hisense hitachi; honeywell; johnson controls; la crosse; lennox; midea;
mitsubishi electric; mitsubishi heavy industries thermal; molekule; netatmo; noritz; phyn; proliphix;
resideo; rinnai; siemens building; sinope; stiebel; swegon; tado; trane; vaillant; venstar; viessmann;
weatherflow; white rodgers; winix; zehnder;
# kitchen, laundry, cleaning
anova applied; apption labs; bissell; bsh; dreame; electrolux; fisher paykel production; fotile;
franke aquarotter; ge appliances; general electric company; general electric consumer;
general electric corporation; glen dimplex; groupe seb; haier; haiertechnology; hisense home;
hisense smart life; hitachi global life; irobot; june life; ldrobot; liebherr; makita; miele;
newell brands; nomiku; nortek global; panasonic appliances; panasonic ecology; philips personal health;
picobrew; roborock; sharkninja; smeg; sub zero; v zug; versuni; viomi; weber stephen; whirlpool;
xiaomi electronics;
# garden, animals
balboa instruments; bird buddy; green electronics; husqvarna; nestle purina; orbit irrigation; rain bird;
sureflap; titan pet; whistle;
# the body
andon health; concept2; coros; eight sleep; fightcamp; fitbit; fossil partners; garmin; gn hearing;
huami; insulet; life fitness; livongo; masimo; medtronic; omron healthcare; oura; peloton interactive;
philips healthcare; philips lifeline; philips medical; philips oral; philips patient; polar electro;
precor; procter gamble; qardio; resmed; respironics; select comfort; sleep number; sonova; starkey;
suunto; tanita; tonal; tytocare; wahoo; withings; yunmai;
# machines and buildings
abb; beckhoff; bodymedia; br industrial; carlo gavazzi; delta controls; distech; emerson; emfit; fanuc;
ge healthcare; keith koep; keyence; lumasense; mettler toledo; nike inc; omron corporation; pebble;
phoenix contact; potter electric; reliable controls; rezolt; rockwell automation; saia burgess;
siemens ag; tattile; wago; yuyama;
# printers, also in three dimensions
bixolon; brady corp; brother industries; canon finetech; canon imaging; canon inc; canon korea; cricut;
datamax; flashforge; formlabs; fujifilm business; glowforge; godex; intermec; konica minolta;
kyocera document; lexmark; makerbot; oki electric; pantum; primera technology; printronix; prusa; ricoh;
riso kagaku; sato corporation; seiko epson; seiko instruments; sindoricoh; star micronics; ultimaker;
xerox; zebra technologies;
# power: sun, batteries, cars, meters, sockets
abl gmbh; alfen; alpha ess; altenergy; american power conversion; anker; apc; byd; charge amps;
coulomb technologies; ctek sweden; curb inc; cyberpower; defa; discovergy; eaton; ecotap; elster;
emporia renewable; enphase; evbox; eyedro; fantasia trading; fronius; garo; go e gmbh; goodwe;
green energy options; growatt; hypervolt; indra renewable; iskraemeco; itron; kaco; kamstrup; keba;
kostal; kstar; landis gyr; leopold kostal; mennekes; myenergi; neurio; power one; rainforest automation;
sense labs; sensus metering; sigen; silver spring networks; sma regelsysteme; sma solar; smappee;
solar manager; solare datensysteme; solaredge; solarwatt; span io; sputnik engineering; sungrow;
tesla inc; tigo energy; tripp lite; victron; webasto; zaptec;
# play, reading, storage, what is worn
amazon robotics; asustor; atari; barnes noble; bookeen; data robotics; facebook; genius technology;
hanshow; hasbro; jibo; leapfrog; lego system; mattel; meta platforms; netronix; nintendo; oculus;
orbotix; philips; pocketbook; qnap; seagate; sega; skyrockettoys; solum; sony computer entertainment;
sony interactive; synology; teenage engineering; the lego group; timekettle; tonies; ubtech;
valve corporation; vusiongroup; western digital; wonder workshop; wowwee;
"""

# Chips and modules that sit in things, and hardly in computers or phones.
MODULES_OF_THINGS = """
acsip; actions microelectronics; actions semiconductor; adafruit; ai link; ai thinker; all winner;
allwinner; altobeam; anaren; arduino; asr microelectronics; atmel; ayla; b link electronic; barrot;
beken; bilian; bouffalo; california eastern; cheerzing; china dragon technology; china mobile iot;
chipsea; connect one; cypress semiconductor; delta electronics; dexatek; dialog semiconductor; dusun;
electric imp; em microelectronic; ember; energy micro; esp systems; espressif; eswin; ezurio; feasycom;
fn link; freescale; fuzhou rockchip; gainspan; gaoshengda; gemalto m2m; gizwits; goke; goodocom;
greenwave; hd wireless; hi flying; high flying; hisilicon; huayin electronic; icomm semiconductor;
infineon; ingenic; inventek; jennic; jinan usr; jingxun; jointelli; lantronix; lg innotek;
liandian communication; longsys; miaoming; microchip technologies; microchip technology; mstar;
multitech systems; mxchip; nfore; nordic semiconductor; novatek; nxp; phaten; phyplus; pycom; qorvo;
rda microelectronics; redpine; renesas; rf link; roving networks; seeed; semtech; sernet; sigmastar;
silex technology; silicon laboratories; skylab; stmicroelectronics; stmicrolectronics; summit data;
taicang tw; telink; telit; texas instruments; trolink; tuya; u blox; usr iot; winner microelectronics;
wisol; wiznet; worldelite; wu qi; xinzhongxin; xradio; yichip;
"""

# Modules, and makers for others, whose MACs are in things, computers and phones alike.
MODULES = """
abocom; airoha; alps; alpsalpine; ambit microsystems; ampak; askey; atheros; azurewave; broadcom;
cambridge silicon; celestica; chicony; chiun mai; cloud network technology; cybertan; edup; fibocom;
flextronics; foxconn; fugui electronics; gemtek; hon hai; hosiden; jabil; lens technology; lite on;
liteon; luxshare; marvell; mediatek; meig; mitsumi; murata; neoway; pegatron; primax; qualcomm; quectel;
realtek; samsung electro mechanics; sanmina; sierra wireless; sim technology; simcom; sunplus; synaptics;
taiyo yuden; telechips; universal global scientific; winstars; wnc corporation;
"""

# Makes things as well as computers, phones or tablets.
MIXED = """
amazon; apple; archos; casio; google; haier telecom; hewlett packard; hisense; hp inc; huawei;
huawei technologies; lg electornics; lg electronics; lge; libre technology; microsoft; multilaser;
nvidia; panasonic; positivo; raspberry pi; samsung electronics; sharp; sony; sony corporation; tcl;
toshiba; walton; wesion; xiaomi; xunlong; zte;
"""

# Makes computers, what is plugged into them, and servers.
COMPUTERS = """
3com; aaeon; abit; acer; advanced micro devices; advantech; agere; agilent; amd; annapurna; aopen; aplex;
arima computer; asix electronics; asrock; asus; asustek; biostar; cameo; clevo; compal communications;
compal electronics; compal information; congatec; cray inc; cybernet manufacturing; davicom; dell;
dfi inc; digital equipment; elitegroup; emulex; first international computer; first internatl;
framework computer; fujitsu; fujitsu client; gateway 2000; gateway inc; giga byte; hpn supply; ibm;
iei integration; intel; inventec; jetway; kingston; kontron; lcfc; lenovo; medion; mellanox; micro star;
mitac; nec corporation; nec personal; netapp; next inc; oracle; packard bell; panasonic connect;
pc engines; pc partner; phytium; portwell; proxim; qinheng microelectronics; qlogic; quanta computer;
razer; sapphire technology; shuttle; silicom; silicon graphics; solarflare; soyo; standard microsystems;
stratus technologies; super micro; toshiba client; twinhead; tyan; ugreen; uniwill; vaio; wacom; wistron;
xircom;
"""

# Makes phones, and what goes with them.
PHONES = """
amoi; arima communications; bbk; blackberry; blu products; bq; casio hitachi; chi mei communication;
ck telecom; doogee; emporia telecom; essential products; fairphone; gionee; hisense communications;
hisense mobile; hmd global; honor device; htc; huaqin; huaqinworld; huawei device; infinix;
inventec appliance; itel; kyocera corporation; kyocera wireless; lanix; lava international;
lenovo mobile; letv mobile; lg electronics mobile; longcheer; meizu; microsoft mobile; mobiwire;
motorola mobility; motorola wuhan mobility; nec casio; nokia corporation; nokia danmark;
nothing technology; oneplus; oppo mobile; palm inc; palm solutions; panasonic mobile; pantech; punkt;
qiku; ragentek; realme; rim; shift gmbh; smartisan; sonim; spreadtrum; tcl communication; tct mobile;
tecno; tianyu information; tinno; transchan; vertu; vivo mobile; vsn mobil; wiko; wingtech;
xiaomi communications; yota devices; yulong;
"""

# Not things at all: what virtual machines have.
VIRTUAL = """
citrix; nutanix; parallels; pcs systemtechnik; proxmox; qumranet; swsoft; virtuozzo; vmware; xensource;
"""

# Makes routers, access points, switches, and what providers hand out.
NETWORK = """
2wire; a10; accton; acer netxus; actiontec; adb broadband; adb italia; adtran; airties; alcatel;
alcatel lucent; allied telesis; allied telesyn; altice labs; arista; arris; at t; avaya; avm; aztech;
barracuda networks; belon technology; billion electric; bluesocket; boomtech; brocade; buffalo; c data;
cabletron; calix; cambium; cambridge industries; castlenet; check point; china mobile; ciena; cig; cisco;
colubris; commscope; compal broadband; comtrend; conceptronic; corega; cradlepoint; cudy; cz nic; dasan;
davolink; deciso; delta networks; devolo; digi is; draytek; edgecore; eero; efficient networks;
efm networks; elecom; eltex; engenius; enterasys; ericsson; extreme networks; f5; fast technologies;
feixun; fenglian; fiberhome; force10; fortinet; four seas global; franklin technology; freebox;
fritz technology; genexis; gl technologies; gongjin electronics; h3c; hewlett packard enterprise;
hirschmann automation; hitron; humax networks; icotera; ignitenet; ignition design; infoblox; inseego;
inteno; io data; juniper; kaon broadband; keenetic; ligowave; linksys; logitec; lucent technologies;
mercury communication; mercusys; mimosa; mist systems; mitrastar; mojo networks; motorola; moxa;
nec platforms; netcore; netgear; netis technology; netronics; new h3c; nokia; nortel; opengear;
orange polska; pace americas; palo alto; paradyne; peplink; perle; phicomm; pirelli focom;
planet technology; planex; plume; procurve; protectli; qihui telecom; radwin; raisecom; raritan;
riverbed; robustel; routerboard; ruckus; ruggedcom; ruijie; sagemcom; scientific atlanta; senao;
servercom; sfr; siklu; sitecom; smc networks; sonicwall; sophos; space exploration;
star net communication; stormshield; sundray; technicolor; tellescom; telsey; teltonika;
the linksys group; thomson; tianyi comheart; tianyi kanghe; tianyi telecom; totolink; tozed;
trapeze networks; ubee; ubiquiti; ubiquoss; ungermann bass; v solution; vantiva; verizon; vodafone;
watchguard technologies; westell; westermo; xirrus; youhua; zhone; zioncom; zyxel;
"""

# Makes routers and the like, and plugs, cameras or sensors under the same prefixes.
NETWORK_AND_THINGS = """
alpha networks; arcadyan; belkin; d link; edimax; gospell; intelbras; linksys usa; sercomm; sky uk;
tenda; tp link; trendnet; xiaomi mobile;
"""

# What many names of Chinese companies begin with.
PLACES = """
anhui beijing changsha chengdu chongqing dong dongguan foshan fujian gd guang guangdong guangzhou hangzhou
hefei hong hongkong hubei hui huizhou hunan jiangsu kong nanjing ningbo qing dao qingdao shandong shanghai
shen shenzhen shenzhenshi sichuan suzhou tianjin weifang wuhan wuxi xiamen xian zhejiang zhen zhongshan zhou
zhuhai
"""

# What people call whom, where that does not follow from the registry's name.
SAID = """
actiontec: Actiontec; ai link: AI-Link; airties wireless networks: AirTies; alps: Alps Alpine;
alpsalpine: Alps Alpine; amazon: Amazon; amcrest: Amcrest; ampak: AMPAK; apption labs: Meater;
arista: Arista; arlo technology: Arlo; arris: Arris; askey: Askey; asustek: ASUS; avm: AVM;
axis communications: Axis; azurewave: AzureWave; bang olufsen: Bang & Olufsen;
barnes noble: Barnes & Noble; bilian: Bilian; bird home automation: DoorBird; blackberry: BlackBerry;
blink by amazon: Blink; broadlink: BroadLink; brocade: Brocade; brother industries: Brother; bsh: BSH;
buffalo: Buffalo; candy house: Candy House; canon inc: Canon; china mobile: China Mobile;
chuangwei: Skyworth; cisco linksys: Linksys; cisco meraki: Cisco Meraki; cisco spvtg: Cisco;
cisco: Cisco; cloud network technology: Foxconn; commscope: CommScope; compal: Compal;
computime: Computime; coolkit: Sonoff; d link: D-Link; dahua: Dahua;
delta electronics: Delta Electronics; dji: DJI; dm holdings: Denon & Marantz; dreame: Dreame;
ecobee: ecobee; electrolux: Electrolux; elitegroup: ECS; enphase: Enphase; eq 3: eQ-3;
espressif: Espressif; extreme networks: Extreme Networks; ezurio: Ezurio; ezviz: EZVIZ;
fantasia trading: Anker; fibar: Fibaro; fiberhome: FiberHome; fn link: Fn-Link; foxconn: Foxconn;
fritz technology: FRITZ!; fugui electronics: Foxconn; gaoshengda: Gaoshengda; garmin: Garmin;
ge lighting: GE Lighting; giga byte: Gigabyte; gn audio: Jabra; gn netcom: Jabra; goodwe: GoodWe;
google: Google; gosund: Gosund; gree electric: Gree; growatt: Growatt; h3c: H3C; haier: Haier;
haiertechnology: Haier; hewlett packard enterprise: HPE; hewlett packard: HP; hi flying: Hi-Flying;
high flying: Hi-Flying; hikvision: Hikvision; hisense visual: Hisense; hisense: Hisense; hmd global: HMD;
hon hai: Foxconn; honeywell: Honeywell; honor device: Honor; hp inc: HP; htc: HTC;
huacheng network: Imou; hualai: Hualai; huawei device: Huawei; huawei technologies: Huawei;
hubitat: Hubitat; humax: Humax; ibm: IBM; ikea: IKEA; ilumisys: Toggled; imilab: Imilab;
infinix: Infinix; intel: Intel; intellirocks: Govee; irobot: iRobot; itel mobile: itel; jooan: Jooan;
juniper: Juniper; jvc kenwood: JVC Kenwood; lcfc: Lenovo; leopold kostal: Kostal; leviton: Leviton;
lg electronics: LG; lg innotek: LG Innotek; lge: LG; lifi labs: LIFX; linkplay: Linkplay;
lite on: Lite-On; liteon: Lite-On; logitech: Logitech; lumi united: Aqara; lutron: Lutron;
meross: Meross; meta platforms: Meta; micro star: MSI; microsoft: Microsoft; midea: Midea; miele: Miele;
motorola mobility: Motorola; murata: Murata; mxchip: MXCHIP; nest labs: Nest; netgear: Netgear;
netvue: Netvue; new h3c: H3C; nintendo: Nintendo; nokia: Nokia; nortel: Nortel; nvidia: NVIDIA; nxp: NXP;
oneplus: OnePlus; oppo mobile: OPPO; pass seymour: Legrand; pcs systemtechnik: VirtualBox;
philips lighting: Philips Lighting; physical graph: SmartThings; pin genie: Lockly;
pioneer corporation: Pioneer; prama hikvision: Hikvision; proxmox: Proxmox; prusa: Prusa; qnap: QNAP;
quectel: Quectel; qumranet: Qumranet; raspberry pi: Raspberry Pi; realme: realme; realtek: Realtek;
renesas: Renesas; reolink: Reolink; rf link: RF-Link; rim: BlackBerry; ring llc: Ring;
robert bosch smart home: Bosch Smart Home; roborock: Roborock; routerboard: MikroTik; ruckus: Ruckus;
sagemcom: Sagemcom; samsung electro mechanics: Samsung; samsung electronics: Samsung;
schneider electric: Schneider Electric; sdmc technology: SDMC; seiko epson: Epson;
sharkninja: SharkNinja; shenghui lighting: Shenghui; shiyuan: CVTE; sky uk: Sky; skyworth: Skyworth;
slim devices: Logitech; smartthings: SmartThings; solaredge: SolarEdge; sony interactive: Sony;
sony: Sony; stmicroelectronics: STMicroelectronics; stmicrolectronics: STMicroelectronics;
sungrow: Sungrow; super micro: Supermicro; sz dji: DJI; tado: tado°; tcl communication: TCL;
tcl king: TCL; tcl: TCL; tct mobile: TCL; tecno mobile: Tecno; tenda: Tenda;
the chamberlain group: Chamberlain; the linksys group: Linksys; tianyi comheart: Tianyi;
tiinlab: TiinLab; tivo: TiVo; tmall technology: Tmall; tp link: TP-Link; tpv: TPV; transom post: Bose;
tuya: Tuya; u blox: u-blox; udisense: Nanit; universal global scientific: USI; vantiva: Vantiva;
victron: Victron; viomi: Viomi; vivo mobile: vivo; vizio: Vizio; vmware: VMware; vtech: VTech;
whirlpool: Whirlpool; wiz: WiZ; wnc corporation: WNC; woan: SwitchBot; wyze: Wyze; xensource: Xen;
xiaomi communications: Xiaomi; xiaomi electronics: Xiaomi; xiaomi mobile: Xiaomi; xiaomi: Xiaomi;
youhua: Youhua; zengge: Zengge; zmodo: Zmodo; zte: ZTE; zyxel: Zyxel;
"""
