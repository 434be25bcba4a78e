"""QuecPython's `modem`: an IMEI as text, or the number -1."""

import vm


def getDevImei():
    found = vm.os.getenv("POINTACCESS_IMEI")
    return -1 if found in (None, "", "-1") else found


def getDevFwVersion():
    return "EC600SCNLAR01A01M08" if vm.OLD else "EC800MCNLCR07A05M08"
