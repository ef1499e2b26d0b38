# SPDX-License-Identifier: GPL-2.0-or-later
"""What kind of thing each organisation makes that has registered MAC prefixes: the data behind `makers`.

An entry is the beginning of a name as the IEEE registry has it, in whole words, small letters, without
punctuation and without the place that many Chinese names begin with (`makers.words`). Entries rest on
general knowledge: the makers' own product pages. A maker stands where most of what a home meets of it
belongs; who makes things as well as computers or phones is mixed.
"""

# Makes things only: what a household or an office puts somewhere and leaves there.
APPLIANCES = """
# televisions, set-top boxes, players
roku; vizio; tivo; dish technologies; directv; echostar; funai; grundig; loewe; technisat; arcelik;
vestel; changhong;
konka; skyworth; hisense visual; hisense electric; hisense electronics; tcl king; tcl moka;
tcl new technology; tcl technoly;
tcl operations polska; tp vision; tpv; sky uk; humax; toshiba visual; jvc kenwood; oppo digital;
chuangwei rgb; shiyuan;
# speakers and their insides
sonos; bose; d m holdings; harman consumer; harman music; harman multimedia; harman specialty; jbl;
bang olufsen; libratone; naim audio;
linn products; lenbrook; sound united; onkyo; pioneer corporation; pioneercorporation;
yamaha corporation; devialet; klipsch;
edifier; roberts radio; russound; sonance; sennheiser; frontier silicon; frontier smart; linkplay;
tiinlab; nuvo technologies;
universal electronics; logitech; autonomic controls; shure; control4; crestron; savant systems;
savant group;
# cameras, doorbells, alarms
hikvision; prama hikvision; dahua; huacheng network; ezviz; reolink; amcrest; arlo; axis communications;
mobotix; vivotek; geovision;
acti corporation; avigilon; verkada; uniview; tiandy; zmodo; imilab; xiaoyi; lorex; swann;
canary connect; dropcam; instar; abus;
simplisafe; vivint; bird home automation; skybell; ring llc; ring solutions; blink by amazon; netvue;
udisense; jooan; nest labs; somfy; hanwha;
# locks, doors, garages
august home; assa abloy; kwikset; nuki; tedee; pin genie; the chamberlain group; chamberlain;
# light, plugs, hubs, thermostats
philips lighting; signify; lifi labs; ledvance; osram; wiz; nanoleaf; ge lighting; yeelink; lutron;
leviton; legrand; paulmann; ikea;
brilliant home; gosund; cuco; meross; broadlink; shelly; coolkit; eq 3; fibar; athom; hubitat;
smartthings; smartlabs; smarthome partner;
samjin; lumi united; woan; ecobee; tado; netatmo; resideo; honeywell; trane; lennox;
carrier corporation; daikin; danfoss;
robert bosch smart home; bosch thermotechnik; intellirocks; remotec technology; quirky;
wink communication;
# kitchen, laundry, cleaning, air
bsh; miele; electrolux; whirlpool; smeg; haier; haiertechnology; haier technology; midea; gree electric;
hisense home; hisense hitachi; hisense smart life;
panasonic appliances; sharkninja; irobot; roborock; dreame; ldrobot; bissell; viomi; dyson; airthings;
molekule; winix; versuni; anova applied;
apption labs; june life; weber stephen; fisher paykel; mitsubishi heavy industries thermal;
# garden, animals
orbit irrigation; rain bird; netro; husqvarna; sureflap; whistle; tonies;
# the body
withings; fitbit; qardio; omron healthcare; philips personal health; philips oral; philips lifeline;
garmin;
# printers
brother industries; seiko epson; canon inc; canon finetech; lexmark; xerox; ricoh; konica minolta;
oki electric; kyocera document; zebra technologies; pantum;
eastman kodak; sindoricoh;
# power
fronius; solaredge; enphase; sma solar; growatt; goodwe; sungrow; victron; sigen; tigo energy; zaptec;
go e gmbh; keba; mennekes; evbox; alfen;
myenergi; emporia renewable; neurio; eyedro; rainforest automation; sense labs; curb inc; tesla inc;
# play
nintendo; sony interactive; valve corporation; lego system; the lego group; mattel; hasbro; leapfrog;
wonder workshop; ubtech; pocketbook; barnes noble; oculus;
# storage
synology; qnap; asustor; seagate; western digital;
"""

# Modules and chips that sit in things and hardly in anything else.
MODULES_OF_THINGS = """
espressif; tuya smart; hi flying; high flying; gainspan; delta electronics; bouffalo lab; altobeam;
icomm semiconductor; silicon laboratories;
telink; nordic semiconductor; mxchip; beken; acsip; ezurio; laird; u blox; quectel; fn link;
bilian; rf link; gaoshengda; ai link; trolink; superelectron; china dragon technology;
texas instruments; microchip technology; microchip technologies; inventek;
phyplus; xradio; phaten; jingxun; earda technologies; em microelectronic; nxp semiconductors;
nxp semiconductor; stmicroelectronics; renesas; chipsea; ohsung; redpine;
lantronix; silex technology; rigado; particle industries; ogemray; universal global scientific; telit;
fibocom; sierra wireless; wisol; lg innotek;
"""

# Modules and contract makers whose MACs are in things, computers and phones alike.
MODULES = """
murata; realtek semiconductor; fugui electronics; qinheng; nfore; azurewave; liteon; lite on; ampak;
hon hai; foxconn; cloud network technology; alpsalpine; alps alpine; alps electric;
samsung electro mechanics;
broadcom; qualcomm; mediatek; marvell; atheros; pegatron; askey; gemtek; sercomm; cybertan;
wnc corporation; arcadyan; flextronics; mitsumi; taiyo yuden;
asix electronics; ugreen; davicom; allwinner; amlogic; standard microsystems; accton; tonly technology;
weifang goertek; goertek; alpha networks; jabil;
"""

# Makes things as well as computers, phones or tablets.
MIXED = """
samsung electronics; apple; google; amazon technologies; lg electronics; lge; sony corporation; sony;
xiaomi; huawei; honor device; philips; microsoft; hewlett packard; hp inc;
panasonic; sharp; toshiba; raspberry pi; nvidia; meta platforms; facebook; zte; nokia; hisense; tcl;
kyocera; hmd global; motorola; acer; fujitsu; nec; china mobile; anker; fantasia trading;
"""

COMPUTERS = """
intel; dell; lenovo; lcfc; asustek; asrock; giga byte; micro star; elitegroup; clevo; super micro;
quanta computer; compal information; compal electronics; wistron; inventec; ibm; silicom; 3com;
framework computer;
oracle; chicony; tyan; jetway; biostar; shuttle; aopen; advantech; medion; vaio; silicon graphics;
digital equipment; gateway;
"""

PHONES = """
oppo mobile telecommunications; xiaomi mobile; rim testing; oppo mobile; vivo mobile; oneplus; htc;
motorola mobility; motorola wuhan mobility; blackberry; rim; fairphone; lg electronics mobile;
huawei device; xiaomi communications; microsoft mobile; tct mobile; tecno mobile; itel mobile; infinix;
realme; nothing technology; meizu; gionee; wingtech; tinno; blu products; palm; hisense mobile;
hisense communications;
longcheer; huaqin; yulong; pantech; doogee; bbk; wiko; mobiwire;
"""

VIRTUAL = """
vmware; pcs systemtechnik; xensource; parallels; qumranet; proxmox; nutanix;
"""

# Routers, access points, switches and what providers hand out.
NETWORK = """
cisco; cisco meraki; cisco linksys; juniper; ubiquiti; routerboard; netgear; avm; fritz technology;
ruckus; hewlett packard enterprise; extreme networks; arista; zyxel; mitrastar; commscope; arris;
sagemcom; vantiva; technicolor;
thomson; fiberhome; new h3c; h3c; nokia shanghai bell; alcatel lucent; nokia solutions; ericsson; eero;
tianyi comheart; actiontec; 2wire; hitron; ubee; devolo; buffalo; fortinet; palo alto; sophos;
sonicwall; mist systems;
cambium; mercusys; mercury; linksys; the linksys group; ruijie; adtran; calix; draytek; peplink;
teltonika; freebox; sfr; adb broadband; comtrend; nortel; avaya; enterasys; brocade; mellanox; edgecore;
fiberhome telecommunication; gl technologies; planex; allied telesis; smc networks;
"""

# Routers, and plugs or cameras under the same prefixes.
NETWORK_AND_THINGS = """
tp link; d link; edimax; belkin; trendnet; tenda; linksys usa;
"""

# What many names of Chinese companies begin with.
PLACES = """
anhui beijing changsha chengdu chongqing dong dongguan foshan fujian gd guang guangdong guangzhou hangzhou
hefei hong hongkong huizhou hui zhou hunan hubei jiangsu kong nanjing ningbo qing dao qingdao shandong
shanghai shen shenzhen shenzhenshi zhen sichuan suzhou tianjin wuhan xiamen xian zhejiang zhongshan zhuhai
"""
